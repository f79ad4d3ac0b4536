import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderHummingbird

/// Directives of handlers for the cache alone, statuses with lifetimes of their own, and what clients are told.
@Suite(.timeLimit(.minutes(5))) struct HandlerDirectiveTests {
    private struct Post: ResponseCodable {
        var id: Int
        var calls: Int
    }

    @Test func `A handler that returns a value sets lifetime and tags, and clients do not see them`() async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router()
        router.group("posts/:id").cached(by: bench.cache, for: .seconds(60)).get { _, context in
            let id = try context.parameters.require("id", as: Int.self)
            return Post(id: id, calls: calls.next()).tagged("post-\(id)").fresh(for: .milliseconds(4_500))
        }
        try await Application(router: router).test(.router) { client in
            for _ in 0..<3 {
                let response = try await client.get("/posts/7")
                #expect(response.text.contains(#""id":7"#) && response.text.contains(#""calls":1"#))
                #expect(response.headers[.init("Larder-Cache-Control")!] == nil)
                #expect(response.headers[.init("Cache-Tag")!] == nil)
                #expect(response.headers[.cacheControl] == nil)
            }
            bench.clock.advance(by: .milliseconds(4_999))
            expectTrue(try await client.get("/posts/7").isHit)
            bench.clock.advance(by: .milliseconds(2))
            expectTrue(try await client.get("/posts/7").text.contains(#""calls":2"#))
            await bench.cache.invalidate(.tag("post-7"))
            expectTrue(try await client.get("/posts/7").text.contains(#""calls":3"#))
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `A handler can forbid storing, and overrule its own Cache-Control`(store: StoreChoice) async throws {
        let calls = Counter()
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            let group = router.group("x").cached(by: cache, for: .seconds(60))
            group.get("value") { _, _ in "\(calls.next())".notStored() }
            group.get("zero") { _, _ in "\(calls.next())".fresh(for: .zero) }
            group.get("response") { _, _ in
                Response(
                    status: .ok,
                    headers: [.cacheControl: "max-age=5"],
                    body: .init(byteBuffer: .init(string: "x"))
                )
                .notStored()
            }
            group.get("longer") { _, _ in
                calls.next()
                return Response(status: .ok, headers: [.cacheControl: "max-age=1"]).fresh(for: .seconds(5))
            }
            group.get("private") { _, _ in
                Response(status: .ok, headers: [.cacheControl: "private"]).fresh(for: .seconds(5))
            }
            group.get("plain") { _, _ in "\(calls.next())" }
            try await Application(router: router).test(.router) { client in
                for path in ["value", "zero", "response"] {
                    for _ in 0..<2 {
                        let response = try await client.get("/x/\(path)")
                        #expect(
                            response.cacheStatusText.contains("detail=no-store"),
                            "\(path): \(response.cacheStatusText)"
                        )
                        #expect(response.headers[.init("Larder-Cache-Control")!] == nil)
                    }
                }
                expectEqual(try await client.get("/x/response").headers[.cacheControl], "max-age=5")
                _ = try await client.get("/x/longer")
                let longer = try await client.get("/x/longer")
                #expect(longer.isHit && longer.headers[.cacheControl] == "max-age=1")
                for _ in 0..<2 {
                    // A private response stays private.
                    let response = try await client.get("/x/private")
                    #expect(response.cacheStatusText.contains("detail=private"))
                }
                // A client cannot say it.
                _ = try await client.get("/x/plain", [.init("Larder-Cache-Control")!: "no-store"])
                expectTrue(try await client.get("/x/plain").isHit)
            }
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `A status with a lifetime of its own is stored, returned or thrown`(store: StoreChoice) async throws {
        let calls = Counter()
        let policy = CachePolicy.fresh(for: .seconds(60)).fresh(for: .seconds(30), on: .notFound, .serviceUnavailable)
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            let group = router.group("x").cached(by: cache, policy)
            group.get("thrown") { _, _ -> String in throw HTTPError(.notFound, message: "\(calls.next())") }
            group.get("returned") { _, _ in
                calls.next()
                return Response(status: .serviceUnavailable, headers: [.retryAfter: "1"])
            }
            group.get("other") { _, _ -> String in
                calls.next()
                throw HTTPError(.gone)
            }
            try await Application(router: router).test(.router) { client in
                let first = try await client.get("/x/thrown")
                let second = try await client.get("/x/thrown")
                #expect(first.status == .notFound && second.status == .notFound && first.text == second.text)
                #expect(first.text.contains("\"1\"") && second.isHit)
                _ = try await client.get("/x/returned")
                let returned = try await client.get("/x/returned")
                #expect(
                    returned.status == .serviceUnavailable && returned.headers[.retryAfter] == "1" && calls.value == 2
                )
                for _ in 0..<2 { expectEqual(try await client.get("/x/other").status, .gone) }
                #expect(calls.value == 4)
            }
        }
    }

    @Test func `An error's lifetime is its own`() async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router()
        let policy = CachePolicy.fresh(for: .seconds(60)).fresh(for: .seconds(30), on: .serviceUnavailable)
        router.group("x").cached(by: bench.cache, policy).get { _, _ in
            calls.next()
            return HTTPResponse.Status.serviceUnavailable
        }
        try await Application(router: router).test(.router) { client in
            _ = try await client.get("/x")
            bench.clock.advance(by: .seconds(29))
            expectTrue(try await client.get("/x").isHit)
            bench.clock.advance(by: .seconds(2))
            expectTrue(try await !client.get("/x").isHit)
            #expect(calls.value == 2)
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `A response is stored only if the function of the policy returns true`(store: StoreChoice) async throws {
        let calls = Counter()
        let policy = CachePolicy.fresh(for: .seconds(60)).storing { request, response in
            request.path != "/x/never" && response.headerFields[.init("X-Count")!] != "0"
        }
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            let group = router.group("x").cached(by: cache, policy)
            group.get("empty") { _, _ in
                calls.next()
                return Response(status: .ok, headers: [.init("X-Count")!: "0"])
            }
            group.get("full") { _, _ in "\(calls.next())" }
            group.get("never") { _, _ in "\(calls.next())" }
            try await Application(router: router).test(.router) { client in
                for path in ["empty", "never"] {
                    for _ in 0..<2 {
                        expectTrue(try await client.get("/x/\(path)").cacheStatusText.contains("detail=policy"))
                    }
                }
                expectEqual(try await client.get("/x/full").text, "5")
                expectEqual(try await client.get("/x/full").text, "5")
            }
        }
    }

    @Test func `Clients are told another lifetime than the cache's`() async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router(options: .autoGenerateHeadEndpoints)
        let policies: [(String, ClientCaching)] = [("ask", .revalidate), ("use", .maxAge(30)), ("none", .none)]
        for (path, clients) in policies {
            let group = router.group("\(path)").cached(
                by: bench.cache,
                .fresh(for: .seconds(300)).clientCaching(clients)
            )
            group.get { _, _ in
                calls.next()
                return Response(status: .ok, headers: [.cacheControl: "max-age=900", .expires: "0"])
            }
            group.get("private") { _, _ in Response(status: .ok, headers: [.cacheControl: "private, max-age=9"]) }
            group.get("secret") { _, _ in Response(status: .ok, headers: [.cacheControl: "no-store"]) }
            group.get("error") { _, _ in Response(status: .badRequest, headers: [.cacheControl: "max-age=9"]) }
            group.put { _, _ in Response(status: .ok) }
        }
        try await Application(router: router).test(.router) { client in
            func told(_ path: String, _ headers: HTTPFields = [:]) async throws -> String? {
                try await client.get(path, headers).headers[.cacheControl]
            }
            expectEqual(try await told("/ask"), "no-cache")
            expectEqual(try await told("/use"), "max-age=30")
            expectEqual(try await told("/none"), "no-store")
            bench.clock.advance(by: .seconds(50))
            // Clients subtract the age of 50 s.
            let hit = try await client.get("/use")
            #expect(hit.headers[.cacheControl] == "max-age=80" && hit.headers[.age] == "50")
            #expect(hit.headers[.expires] == nil)
            let tag = try #require(hit.headers[.eTag])
            let unchanged = try await client.get("/ask", [.ifNoneMatch: tag])
            #expect(unchanged.status == .notModified && unchanged.headers[.cacheControl] == "no-cache")
            let head = try await client.execute(uri: "/ask", method: .head)
            #expect(head.headers[.cacheControl] == "no-cache")
            expectEqual(try await told("/use", [.cookie: "a=b"]), "private, max-age=30")
            expectEqual(try await told("/ask/private"), "private, no-cache")
            for path in ["/ask", "/use"] {
                expectEqual(try await told("\(path)/secret"), "no-store")
                expectEqual(try await told("\(path)/error"), "max-age=9")
            }
            expectEqual(try await client.execute(uri: "/use", method: .put).headers[.cacheControl], nil)
            #expect(calls.value == 4)
        }
    }

    private struct SortedContext: RequestContext {
        var coreContext: CoreRequestContextStorage
        init(source: Source) { coreContext = .init(source: source) }
        var responseEncoder: JSONEncoder { .sortingKeys }
    }

    @Test func `With sorted keys the same value has the same entity tag each time it is rendered`() async throws {
        let bench = Bench()
        let router = Router(context: SortedContext.self)
        router.group("x").cached(by: bench.cache, for: .seconds(60)).get { _, _ in
            Dictionary(uniqueKeysWithValues: (0..<50).shuffled().map { ("key\($0)", $0) })
        }
        try await Application(router: router).test(.router) { client in
            var tags: Set<String?> = []
            for _ in 0..<5 {
                tags.insert(try await client.get("/x").headers[.eTag])
                await bench.cache.invalidate(.everything)
            }
            #expect(tags.count == 1 && tags.first != .some(nil))
        }
    }
}
