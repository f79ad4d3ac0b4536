import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// The preset of a gateway: its keys, the sharing of its responses, and the invalidation by writes.
@Suite(.timeLimit(.minutes(5))) struct GatewayPolicyTests {
    struct Target: CustomTestStringConvertible {
        var scheme: String? = "http"
        var authority: String? = "example.org"
        var path: String? = "/p"
        let key: String?
        var testDescription: String { "\(scheme ?? "nil") \(authority ?? "nil") \(path ?? "nil")" }

        var request: HTTPRequest { HTTPRequest(method: .get, scheme: scheme, authority: authority, path: path) }
    }

    @Test(arguments: [
        Target(key: "GET:http://example.org/p"),
        Target(scheme: "https", key: "GET:https://example.org/p"),
        Target(scheme: "HTTPS", authority: "Example.ORG:443", key: "GET:https://example.org/p"),
        Target(authority: "example.org:443", key: "GET:http://example.org:443/p"),
        Target(authority: "example.org:80", key: "GET:http://example.org/p"),
        Target(authority: "example.org:", key: "GET:http://example.org/p"),
        Target(authority: "[::1]:8080", key: "GET:http://[::1]:8080/p"),
        Target(path: "//a//b/?b=2&a=1&&", key: "GET:http://example.org//a//b/?b=2&a=1&&"),
        Target(path: "/p?", key: "GET:http://example.org/p?"),
        Target(path: "/p?nocache=true", key: "GET:http://example.org/p?nocache=true"),
        Target(path: "/%7Eu/%7eu/../x", key: "GET:http://example.org/%7Eu/%7eu/../x"),
        Target(path: "/p|\"<>^`{}\\", key: "GET:http://example.org/p|\"<>^`{}\\"),
        Target(scheme: nil, key: "GET:http://example.org/p"),
        Target(scheme: "ftp", key: nil),
        Target(authority: nil, key: nil),
        Target(authority: "", key: nil),
        Target(authority: ":80", key: nil),
        Target(authority: "a/b", key: nil),
        Target(authority: "a?b", key: nil),
        Target(authority: "a#b", key: nil),
        Target(authority: "user@a", key: nil),
        Target(authority: "a b", key: nil),
        Target(path: "/p#x", key: nil),
        Target(path: "/p x", key: nil),
        Target(path: "/\u{E9}", key: nil),
        Target(path: "*", key: nil),
        Target(path: "http://other/p", key: nil),
    ]) func `A target is verbatim in its key, after its origin`(_ example: Target) {
        let result = CachePolicy.gateway.keys.key(of: example.request, user: nil)
        #expect(result?.key.description == example.key)
        #expect(result?.asksForBypass != true)
        #expect(result.map { "GET:" + ($0.target ?? "") } == example.key)
    }

    @Test func `Two origins do not share responses, and two spellings of one origin do`() async throws {
        let bench = Bench()
        let origin = TestOrigin { request in
            TestResponse("\(request.scheme ?? "")://\(request.authority ?? "")", [.cacheControl: "max-age=60"])
        }
        for authority in ["a", "b", "a:8080", "A", "a:80"] {
            var request = HTTPRequest.get("/p")
            request.authority = authority
            _ = try await bench.cache.respond(to: request, under: .gateway, from: origin)
        }
        #expect(origin.fetches.map(\.authority) == ["a", "b", "a:8080"])
    }

    @Test func `RFC 9111 4.4: A write invalidates its path and the URIs that it names on its own origin alone`()
        async throws
    {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=60"]) }
        func request(_ authority: String, _ path: String) -> HTTPRequest {
            HTTPRequest(method: .get, scheme: "http", authority: authority, path: path)
        }
        func isStored(_ request: HTTPRequest) -> Bool {
            guard let key = CachePolicy.gateway.keys.key(of: request, user: nil) else { return false }
            let location = EntryLocation(key: key.key, target: key.target ?? "")
            return bench.store.find(location, at: bench.clock.now)?.isEmpty == false
        }
        let paths = ["/p", "/p?x=1", "/named", "/content", "/other"]
        for authority in ["a", "b"] {
            for path in paths {
                _ = try await bench.cache.respond(to: request(authority, path), under: .gateway, from: origin)
            }
        }
        var write = request("A:80", "/p")
        write.method = .post
        let answer = TestOrigin { _ in
            TestResponse("", [.location: "http://a/named", .contentLocation: "/content"])
        }
        _ = try await bench.cache.respond(to: write, under: .gateway, from: answer)
        #expect(paths.filter { isStored(request("a", $0)) } == ["/other"])
        #expect(paths.filter { isStored(request("b", $0)) } == paths)
        write.authority = "b"
        _ = try await bench.cache.respond(to: write, under: .gateway, from: answer)
        #expect(paths.filter { isStored(request("b", $0)) } == ["/named", "/other"])
        // An explicit invalidation of a path concerns every origin.
        await bench.cache.invalidate(.path("/other"))
        #expect(!isStored(request("a", "/other")) && !isStored(request("b", "/other")))
    }

    @Test(arguments: [("max-age=60", false), ("public, max-age=60", true), ("s-maxage=60", true)])
    func `RFC 9111 3.5: A response to Authorization is shared if it says so`(
        _ directives: String,
        _ isShared: Bool
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: directives]) }
        let fields: HTTPFields = [.authorization: "Bearer a"]
        let first = try await bench.get("/posts", fields, under: .gateway, from: origin)
        #expect(first.cacheStatusText.contains(isShared ? "stored" : "detail=authorization"))
        #expect(origin.fetches.first?.headerFields[.authorization] == "Bearer a")
        _ = try await bench.get(under: .gateway, from: origin)
        #expect(origin.fetches.count == (isShared ? 1 : 2))
        // The response that was stored for a request without credentials is for all clients.
        let other = try await bench.get("/posts", [.authorization: "Bearer b"], under: .gateway, from: origin)
        #expect(other.isHit)
    }

    @Test func `A request with credentials does not wait for responses for other clients alone`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { request in
            if request.headerFields[.authorization] != "first" { await gate.pass() }
            return TestResponse("of \(request.headerFields[.authorization] ?? "all")", [.cacheControl: "max-age=60"])
        }
        func get(_ user: String) async throws -> String {
            try await bench.get("/me", [.authorization: user], under: .gateway, from: origin).text
        }
        #expect(try await get("first") == "of first")
        async let second = get("second")
        async let third = get("third")
        await gate.reached(by: 2)
        #expect(bench.cache.waiterCount == 0)
        gate.open()
        let texts = try await [second, third]
        #expect(texts == ["of second", "of third"])
    }

    @Test func `A gateway ignores Cookie and does not make an ETag`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=60"]) }
        let first = try await bench.get("/posts", [.cookie: "a=b"], under: .gateway, from: origin)
        #expect(first.cacheStatusText.contains("stored") && !first.head.headerFields.contains(.eTag))
        #expect(try await bench.get(under: .gateway, from: origin).isHit)
    }

    @Test func `The fields of the server's connection are not forwarded, stored or not`() async throws {
        let own = try #require(HTTPField.Name("X-Own"))
        for directives in ["max-age=60", "no-store"] {
            let bench = Bench()
            let origin = TestOrigin { _ in
                TestResponse(
                    "v",
                    [
                        .cacheControl: directives, .connection: "X-Own, Cache-Control", own: "1",
                        .trailer: "X", .proxyAuthenticate: "Basic",
                    ]
                )
            }
            let response = try await bench.get(under: .gateway, from: origin)
            let fields = response.head.headerFields
            #expect(!fields.contains(.connection) && !fields.contains(own) && !fields.contains(.trailer))
            #expect(fields.contains(.date))
            #expect(await bench.cache.count() == (directives == "no-store" ? 0 : 1))
            let written = try await bench.send(.post, under: .gateway, to: origin)
            #expect(!written.head.headerFields.contains(own))
        }
    }

    @Test func `Conditions are forwarded to the server if nothing is stored`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "no-store"]) }
        for status in ["detail=no-store", "detail=uncacheable"] {
            let response = try await bench.get("/posts", [.ifNoneMatch: "\"x\""], under: .gateway, from: origin)
            #expect(response.cacheStatusText.contains(status))
        }
        #expect(origin.forwards == 1)
        bench.clock.advance(by: .seconds(60))
        _ = try await bench.get("/posts", [.ifNoneMatch: "\"x\""], under: .gateway, from: origin)
        #expect(origin.fetches.count == 2)
    }
}
