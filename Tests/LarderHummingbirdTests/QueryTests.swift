import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderHummingbird

/// Queries: which parameters are in keys and seen by handlers, and requests that ask by POST.
@Suite(.timeLimit(.minutes(5))) struct QueryTests {
    @Test(arguments: StoreChoice.allCases)
    func `Only the parameters that a route varies by are in the key and seen by the handler`(
        store: StoreChoice
    ) async throws {
        let calls = Counter()
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            router.get("plain") { request, _ in request.uri.query ?? "-" }
            router.group("list")
                .cached(by: cache, .fresh(for: .seconds(60)).varying(byQuery: "page", "sort", "filter_*"))
                .get { request, _ in "\(calls.next()) \(request.uri.query ?? "-")" }
            try await Application(router: router).test(.router) { client in
                expectEqual(try await client.get("/list?page=2&utm_source=a&sort=up").text, "1 page=2&sort=up")
                for query in [
                    "sort=up&page=2", "page=2&sort=up&x=1", "a=1&page=2&sort=up&&fbclid=y", "sort=up&page=2&Page=3",
                ] {
                    expectEqual(try await client.get("/list?\(query)").text, "1 page=2&sort=up")
                }
                expectEqual(try await client.get("/list?page=3&sort=up").text, "2 page=3&sort=up")
                expectEqual(try await client.get("/list?filter_a=1&filter=2").text, "3 filter_a=1")
                expectEqual(try await client.get("/list?x=y").text, "4 -")
                expectEqual(try await client.get("/list").text, "4 -")
                // A request that bypasses the cache is sent with all parameters.
                expectTrue(try await client.get("/list?x=y&nocache=true").text.hasSuffix("x=y&nocache=true"))
                expectEqual(await cache.count(), 4)
                // A write to the path invalidates the responses to all queries.
                await cache.invalidate(.path("/list"))
                expectEqual(try await client.get("/list?page=3&sort=up").text, "6 page=3&sort=up")
            }
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `Campaign parameters that are ignored do not fill the store`(store: StoreChoice) async throws {
        let calls = Counter()
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            router.group("page").cached(by: cache, .fresh(for: .seconds(60)).ignoringQuery("utm_*", "fbclid"))
                .get { request, _ in "\(calls.next()) \(request.uri.query ?? "-")" }
            try await Application(router: router).test(.router) { client in
                for number in 0..<300 {
                    let text = try await client.get("/page?utm_source=\(number)&id=7&fbclid=\(number)").text
                    #expect(text == "1 id=7")
                }
                expectEqual(await cache.count(), 1)
            }
        }
    }

    @Test(arguments: StoreChoice.allCases, ["POST", "QUERY"])
    func `A search by its content is answered from the cache for the same content`(
        store: StoreChoice,
        name: String
    ) async throws {
        let calls = Counter()
        let method = try #require(HTTPRequest.Method(name))
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            router.group("search")
                .cached(by: cache, .fresh(for: .seconds(60)).caching(method, contentUpTo: .bytes(100)))
                .on(
                    "",
                    method: method,
                    responder: CallbackResponder { request, context in
                        let content = try await request.body.collect(upTo: 1_000)
                        return "\(calls.next()) \(String(buffer: content))".response(
                            from: request,
                            context: context
                        )
                    }
                )
                .get { _, _ in "\(calls.next()) get" }
                .put { _, _ in "done" }
            try await Application(router: router).test(.router) { client in
                for _ in 0..<2 {
                    expectEqual(try await client.send(method, "/search", content: "a").text, "1 a")
                    expectEqual(try await client.send(method, "/search", content: "b").text, "2 b")
                    expectEqual(try await client.send(method, "/search?x=1", content: "b").text, "3 b")
                    expectEqual(
                        try await client.send(method, "/search", [.contentType: "text/plain"], content: "b").text,
                        "4 b"
                    )
                    expectEqual(try await client.send(method, "/search").text, "5 ")
                    expectEqual(try await client.get("/search").text, "6 get")
                }
                let hit = try await client.send(method, "/search", content: "a")
                #expect(hit.isHit)
                // A HEAD or GET does not get the response to a search, and a search invalidates nothing.
                expectTrue(try await client.get("/search").isHit)
                // Content over the limit, or of a size that is not declared, bypasses the cache.
                let large = String(repeating: "x", count: 101)
                for _ in 0..<2 {
                    let response = try await client.send(method, "/search", content: large)
                    #expect(response.cacheStatusText.contains("detail=content") && response.text.hasSuffix(large))
                }
                // A write to the path invalidates searches as well.
                _ = try await client.send(.put, "/search")
                expectTrue(try await client.send(method, "/search", content: "a").text.hasSuffix(" a"))
                expectTrue(try await !client.send(method, "/search", content: "b").isHit)
                let keys = cache.statistics.snapshot().topKeys.map(\.key.description)
                #expect(keys.contains { $0.hasPrefix("\(name):/search#content=") })
            }
        }
    }
}
