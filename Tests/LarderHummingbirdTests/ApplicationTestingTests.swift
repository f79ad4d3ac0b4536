import HTTPCaching
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import Testing

/// The tests that an application has of its caching: `docs/hummingbird.md` shows one of them.
@Suite(.timeLimit(.minutes(5))) struct ApplicationTestingTests {
    @Test func `Posts are cached for 90 seconds`() async throws {
        let clock = ManualClock()
        let store = UnreliableStore(MemoryStore(limit: .mebibytes(16)))
        let cache = ResponseCache(store: store, clock: clock.clock)
        try await application(cachedBy: cache).test(.router) { client in
            let first = try await client.execute(uri: "/api/posts", method: .get)
            #expect(first.isMiss)
            let second = try await client.execute(uri: "/api/posts", method: .get)
            #expect(second.isHit)
            clock.advance(by: .seconds(91))
            let later = try await client.execute(uri: "/api/posts", method: .get)
            #expect(later.isStale)
            await cache.idle()
            let refreshed = try await client.execute(uri: "/api/posts", method: .get)
            #expect(refreshed.isHit)
            store.condition = .unavailable
            let during = try await client.execute(uri: "/api/posts", method: .get)
            #expect(during.isMiss)
        }
    }

    @Test func `A bypass and a write are not misses`() async throws {
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(16)))
        try await application(cachedBy: cache).test(.router) { client in
            let bypass = try await client.execute(uri: "/api/posts?nocache=true", method: .get)
            #expect(bypass.isBypass && !bypass.isMiss && !bypass.isHit && !bypass.isStale)
            #expect(bypass.cacheStatus(of: "Larder")?.detail == "nocache")
            #expect(bypass.cacheStatus(of: "CDN") == nil)
            let write = try await client.execute(uri: "/api/posts", method: .post)
            #expect(write.status == .ok && !write.isBypass && !write.isMiss && !write.isHit)
        }
    }

    private func application(cachedBy cache: ResponseCache) -> some ApplicationProtocol {
        let router = Router()
        router.group("api/posts")
            .cached(by: cache, .fresh(for: .seconds(90)).stale(whileRevalidating: .seconds(60)))
            .get { _, _ in "First post" }
            .post { _, _ in "Created" }
        return Application(router: router)
    }
}
