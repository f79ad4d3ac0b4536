import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

/// A cache around a cached route: the same cache, or another one of the same process.
@Suite(.timeLimit(.minutes(5))) struct NestedCacheTests {
    /// A route that is cached inside of another cache.
    private struct Layers: Origin {
        let inner: ResponseCache
        let policy: CachePolicy
        let handler: TestOrigin
        let request: HTTPRequest

        func fetch(_ request: HTTPRequest) async throws -> TestResponse {
            try await inner.respond(to: request, under: policy, from: handler)
        }
        func forward() async throws -> TestResponse { try await fetch(request) }
        func status(of error: any Error) -> HTTPResponse.Status? { handler.status(of: error) }
    }

    private static let route = CachePolicy.fresh(for: .seconds(60)).tagged("route")

    private static func get(
        _ request: HTTPRequest = .get("/posts"),
        through outer: Bench,
        under policy: CachePolicy = .whatIsPublic,
        _ inner: ResponseCache,
        _ handler: TestOrigin,
        route: CachePolicy = route
    ) async throws -> TestResponse {
        let layers = Layers(inner: inner, policy: route, handler: handler, request: request)
        return try await outer.cache.respond(to: request, under: policy, from: layers)
    }

    @Test(arguments: [true, false]) func `A route is cached inside of a cache that stores nothing of it`(
        _ isSame: Bool
    ) async throws {
        let outer = Bench()
        let inner = isSame ? outer : Bench()
        let handler = TestOrigin { _ in TestResponse("v") }
        _ = try await Self.get(through: outer, inner.cache, handler)
        for _ in 0..<3 {
            let hit = try await Self.get(through: outer, inner.cache, handler)
            #expect(try await hit.text == "v")
            #expect(hit.cacheStatusText.contains("Larder; hit"))
        }
        #expect(handler.fetches.count == 1)
    }

    @Test(arguments: [true, false]) func `A public response is a hit of the outer cache`(_ isSame: Bool) async throws {
        let outer = Bench()
        let inner = isSame ? outer : Bench()
        let handler = TestOrigin { _ in TestResponse("v", [.cacheControl: "public, max-age=30"]) }
        _ = try await Self.get(through: outer, inner.cache, handler)
        let never = TestOrigin { _ in throw TestFailure("asked") }
        let hit = try await Self.get(through: outer, inner.cache, never)
        #expect(hit.cacheStatusText.hasSuffix(", Larder; hit; ttl=30"))
    }

    @Test(arguments: [true, false]) func `Misses share one call of the handler at both levels`(
        _ isSame: Bool
    ) async throws {
        let outer = Bench()
        let inner = isSame ? outer : Bench()
        let gate = Gate()
        let handler = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v")
        }
        // The outer cache remembers the key as uncacheable, and its requests do not wait for one another.
        let personal = TestOrigin { _ in TestResponse("v", [.cacheControl: "private"]) }
        _ = try await Self.get(through: outer, inner.cache, personal)
        let clients = (0..<20).map { _ in Task { try await Self.get(through: outer, inner.cache, handler).text } }
        try await eventually("they wait or ask") {
            gate.arrivals >= 1 && inner.cache.waiterCount + gate.arrivals == 20
        }
        gate.open()
        for client in clients { #expect(try await client.value == "v") }
    }

    @Test func `A response that a route stores behind its authentication is not served in front of it`() async throws {
        let bench = Bench()
        let secret = TestOrigin { _ in TestResponse("secret") }
        // A request that bypasses the outer cache stores its response in the inner one under the same key.
        let route = CachePolicy.fresh(for: .seconds(60)).ignoringCredentials()
        let known = HTTPRequest.get("/posts", [.authorization: "Bearer x"])
        _ = try await Self.get(known, through: bench, bench.cache, secret, route: route)
        _ = try await Self.get(known, through: bench, bench.cache, secret, route: route)
        struct Guarded: Origin {
            func fetch(_ request: HTTPRequest) async throws -> TestResponse {
                throw TestFailure("unauthorized", status: .unauthorized)
            }
            func forward() async throws -> TestResponse { try await fetch(.get("/")) }
            func status(of error: any Error) -> HTTPResponse.Status? { (error as? TestFailure)?.status }
        }
        await #expect(throws: TestFailure.self) {
            try await bench.cache.respond(to: .get("/posts"), under: .whatIsPublic, from: Guarded())
        }
    }

    @Test(arguments: [true, false], ["handler", "route"]) func `A tag invalidates at both levels`(
        _ isSame: Bool,
        _ tag: String
    ) async throws {
        let outer = Bench()
        let inner = isSame ? outer : Bench()
        let row = Row("old")
        let handler = TestOrigin { _ in
            TestResponse(row.text, [.cacheControl: "public, max-age=30", .init("Cache-Tag")!: "handler"])
        }
        let first = try await Self.get(through: outer, inner.cache, handler)
        #expect(!first.head.headerFields.contains(.init("Cache-Tag")!))
        row.text = "new"
        // The second request is answered from the inner cache's store, or from the outer one's.
        #expect(try await Self.get(through: outer, inner.cache, handler).text == "old")
        for cache in [outer.cache, inner.cache] { await cache.invalidate(.tag(CacheTag(tag))) }
        #expect(try await Self.get(through: outer, inner.cache, handler).text == "new")
    }

    @Test func `A hit of the inner cache passes its tags to the outer one`() async throws {
        let outer = Bench()
        let inner = Bench()
        let row = Row("old")
        let handler = TestOrigin { _ in
            TestResponse(row.text, [.cacheControl: "public, max-age=30", .init("Cache-Tag")!: "handler"])
        }
        // The response is stored by the inner cache alone.
        _ = try await inner.cache.respond(to: .get("/posts"), under: Self.route, from: handler)
        _ = try await Self.get(through: outer, inner.cache, handler)
        row.text = "new"
        await inner.cache.invalidate(.tag("handler"))
        await outer.cache.invalidate(.tag("handler"))
        #expect(try await Self.get(through: outer, inner.cache, handler).text == "new")
    }

    @Test func `A leader that gets the response of an earlier flight passes its tags to the cache around it`()
        async throws
    {
        let outer = Bench()
        let inner = Bench()
        let row = Row("old")
        let (first, second) = (Gate(), Gate())
        let count = NIOLockedValueBox(0)
        let handler = TestOrigin { _ in
            let text = row.text
            let isFirst = count.withLockedValue { count in
                count += 1
                return count == 1
            }
            await (isFirst ? first : second).pass()
            return TestResponse(text, [.cacheControl: "public, max-age=30", .init("Cache-Tag")!: "handler"])
        }
        async let plain = inner.cache.respond(to: .get("/posts"), under: Self.route, from: handler)
        await first.reached()
        async let nested = Self.get(through: outer, inner.cache, handler)
        try await eventually("the nested request waits") { inner.cache.waiterCount == 1 }
        // The nested request leads a flight once the coalescing timeout is over.
        inner.clock.advance(by: .seconds(5))
        await second.reached()
        first.open()
        _ = try await (plain, nested)
        second.open()
        await inner.cache.idle()
        row.text = "new"
        for cache in [outer.cache, inner.cache] { await cache.invalidate(.tag("handler")) }
        #expect(try await Self.get(through: outer, inner.cache, handler).text == "new")
    }

    @Test func `A streamed response shows its tags only to the cache around it`() async throws {
        let outer = Bench()
        let inner = Bench()
        let row = Row("old")
        let tag = HTTPField.Name("Cache-Tag")!
        let handler = TestOrigin { _ in
            let text = row.text
            return TestResponse(length: 6, [.cacheControl: "public, max-age=30", tag: "handler"]) { sink in
                for part in [text, text] { try await sink.write(ByteBuffer(string: part)) }
                try await sink.finish()
            }
        }
        let plain = try await inner.get(under: Self.route.readingTags, from: handler)
        #expect(!plain.head.headerFields.contains(tag))
        #expect(try await plain.text == "oldold")
        await inner.cache.invalidate(.everything)
        let nested = try await Self.get(through: outer, inner.cache, handler)
        #expect(!nested.head.headerFields.contains(tag))
        #expect(try await nested.text == "oldold")
        row.text = "new"
        for cache in [outer.cache, inner.cache] { await cache.invalidate(.tag("handler")) }
        #expect(try await Self.get(through: outer, inner.cache, handler).text == "newnew")
    }

    @Test func `A handler that requests its own key endlessly gets a response in the end`() async throws {
        let bench = Bench()
        struct Endless: Origin {
            let cache: ResponseCache
            func fetch(_ request: HTTPRequest) async throws -> TestResponse {
                try await cache.respond(to: request, under: .fresh(for: .seconds(60)), from: self)
            }
            func forward() async throws -> TestResponse { TestResponse("the end") }
            func status(of error: any Error) -> HTTPResponse.Status? { nil }
        }
        let policy = CachePolicy.fresh(for: .seconds(60))
        let endless = Endless(cache: bench.cache)
        #expect(try await bench.cache.respond(to: .get("/posts"), under: policy, from: endless).text == "the end")
    }

    @Test func `A handler that requests its own key is fetched as often as the limit says, and then bypasses`()
        async throws
    {
        let bench = Bench()
        let depth = Row("")
        final class Box: Sendable {
            let origin = NIOLockedValueBox<TestOrigin?>(nil)
        }
        let box = Box()
        let origin = TestOrigin { _ in
            depth.text += "x"
            guard depth.text.count < 12, let own = box.origin.withLockedValue({ $0 }) else { return TestResponse("v") }
            return TestResponse(try await bench.get(from: own).text)
        }
        box.origin.withLockedValue { $0 = origin }
        defer { box.origin.withLockedValue { $0 = nil } }
        #expect(try await bench.get(from: origin).text == "v")
        #expect(depth.text.count == 12)
        #expect(origin.fetches.count == 8 && origin.forwards == 4)
    }
}
