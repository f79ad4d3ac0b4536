import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// The rules by which a route's requests bypass the cache, and by which parts of requests are left out of it.
@Suite(.timeLimit(.minutes(5))) struct BypassRuleTests {
    static let rule = BypassRule(
        cookies: ["session", "wp_*"],
        parameters: ["preview", "x_*"],
        fields: [.init("X-Debug")!]
    )

    @Test(arguments: [
        ("/p", "", true), ("/p", "theme=dark", true), ("/p", "theme=session", true), ("/p", "sessions=1", true),
        ("/p", "Session=1", false), ("/p", "session=1", false), ("/p", "a=b; session=1", false),
        ("/p", "a=b;\tsession", false), ("/p", "session", false), ("/p", "sess%69on=1", false), ("/p", "wp_=1", false),
        ("/p", "a=b;wp_1=2", false), ("/p", "wp=1", true), ("/p?preview", "", false), ("/p?preview=", "", false),
        ("/p?a=b&preview=no", "", false), ("/p?a=b;preview=1", "", false), ("/p?pr%65view=1", "", false),
        ("/p?previews=1", "", true), ("/p?a=preview", "", true), ("/p?x_1=2", "", false), ("/p?", "", true),
        ("/preview?", "", true), ("/p?preview%3D1", "", true),
    ]) func `A request with a name of the rule bypasses the cache`(
        _ target: String,
        _ cookies: String,
        _ isCached: Bool
    ) async throws {
        let bench = Bench()
        let policy = CachePolicy.gateway.bypassing(Self.rule)
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=60"]) }
        let fields: HTTPFields = cookies.isEmpty ? [:] : [.cookie: cookies]
        let response = try await bench.get(target, fields, under: policy, from: origin)
        #expect(response.cacheStatusText.contains(isCached ? "stored" : "fwd=bypass") == true)
        #expect(response.cacheStatusText.contains("detail=rule") == !isCached)
        #expect(await bench.cache.count() == (isCached ? 1 : 0))
    }

    @Test func `A rule sees fields and separate cookie fields, and overrides a hit`() async throws {
        let bench = Bench()
        let policy = CachePolicy.gateway.bypassing(Self.rule)
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=60"]) }
        _ = try await bench.get(under: policy, from: origin)
        var crumbs = HTTPFields()
        for value in ["a=b", "session=1"] { crumbs.append(HTTPField(name: .cookie, value: value)) }
        let debug: HTTPFields = [.init("x-debug")!: "0"]
        for fields in [debug, crumbs] {
            let response = try await bench.get("/posts", fields, under: policy, from: origin)
            #expect(response.cacheStatusText.contains("detail=rule"))
        }
        #expect(try await bench.get(under: policy, from: origin).isHit)
        #expect(origin.forwards == 2 && origin.fetches.count == 1)
    }

    @Test func `A write invalidates even if the route stores nothing`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=60"]) }
        _ = try await bench.get(under: .gateway, from: origin)
        let never = CachePolicy.gateway.bypassing(.everything)
        #expect(try await bench.get(under: never, from: origin).cacheStatusText.contains("detail=rule"))
        #expect(try await bench.get(under: .gateway, from: origin).isHit)
        _ = try await bench.send(.post, under: never, to: origin)
        #expect(try await bench.get(under: .gateway, from: origin).cacheStatusText.contains("fwd="))
    }

    @Test(arguments: ["", "a=b", "a;b", "a&b", "a*b", "**", "é", "a b", String(repeating: "a", count: 257)])
    func `A text with illegal bytes is not a name pattern`(_ text: String) {
        #expect(NamePattern(text) == nil)
    }

    @Test(arguments: [
        ("/p?utm_source=a", "/p"), ("/p?utm_source=a&x=1", "/p?x=1"), ("/p?x=1&utm_a=&y=2&ref", "/p?x=1&y=2"),
        ("/p?x=utm_a", "/p?x=utm_a"), ("/p?ut%6D_a=1", "/p"), ("/p?", "/p?"), ("/p?&utm_a=1", "/p?"),
        ("/p?refs=1", "/p?refs=1"),
        ("/p", "/p"), ("/p?REF=1", "/p?REF=1"),
    ]) func `An ignored parameter is left out of the key and of the fetch`(
        _ target: String,
        _ fetched: String
    ) async throws {
        let bench = Bench()
        var policy = CachePolicy.gateway
        policy.keys.ignoredParameters = ["utm_*", "ref"]
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=60"]) }
        _ = try await bench.get(target, under: policy, from: origin)
        #expect(origin.fetches.map(\.path) == [fetched])
        #expect(try await bench.get(fetched, under: policy, from: origin).isHit)
        let key = try #require(bench.cache.statistics.snapshot().topKeys.first?.key.description)
        #expect(key.hasSuffix(fetched) && bench.cache.statistics.snapshot().topKeys.count == 1)
    }

    @Test func `A withheld field does not select a response and is left out of the fetch`() async throws {
        let bench = Bench()
        var policy = CachePolicy.gateway
        policy.withheldFields = [.cookie]
        let origin = TestOrigin { request in
            TestResponse(request.headerFields[.cookie] ?? "none", [.cacheControl: "max-age=60", .vary: "Cookie"])
        }
        for cookie in ["a=1", "b=2"] {
            #expect(try await bench.get("/posts", [.cookie: cookie], under: policy, from: origin).text == "none")
        }
        #expect(origin.fetches.count == 1)
        // A request that bypasses the cache keeps the field.
        let passing = try await bench.get(
            "/posts",
            [.cookie: "a=1", .ifMatch: "\"x\""],
            under: policy,
            from: origin
        )
        #expect(passing.cacheStatusText.contains("detail=precondition") && origin.forwards == 1)
    }
}
