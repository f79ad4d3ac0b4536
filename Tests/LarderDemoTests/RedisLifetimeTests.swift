import Foundation
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderRedis
import LarderTestSupport
import RedisClient
import TestHelpers
import Testing

/// Tests of the time for which Redis stores entries, by the clock of Redis.
@Suite(.timeLimit(.minutes(5))) struct RedisLifetimeTests {
    @Test(arguments: [
        ("/api/users/1", SpecificationTests.user, "larder:3:GET:/api/users/1", 120),
        ("/api/posts/", SpecificationTests.posts, "larder:3:GET:/api/posts/", 90),
    ]) func `GET returns the body of the specification, and Redis stores it for the TTL of the route`(
        _ path: String,
        _ body: String,
        _ key: String,
        _ seconds: Int
    ) async throws {
        try await withRedis { redis, store, client in
            try await serve(ResponseCache(store: store)) { api in
                try await eventually("the store is connected") { store.isAvailable }
                let first = try await api.send(.get, path)
                #expect(first.status == .ok && first.text == body && !first.isHit)
                #expect(first.headers[.cacheControl] == nil)
                let second = try await api.send(.get, path)
                #expect(second.status == .ok && second.text == body && second.isHit)
                guard case .expires(let left) = try await client.pttl(key, deadline: .seconds(30)) else {
                    Issue.record("\(key) does not expire")
                    return
                }
                #expect(left <= .seconds(seconds) && left > .seconds(seconds - 60))
                #expect(try await api.metrics().totalCachedKeys == 1)
            }
        }
    }

    @Test func `An entry that has expired in Redis is a miss, and is not counted any more`() async throws {
        try await withRedis { redis, store, client in
            let cache = ResponseCache(store: store)
            let router = Router()
            let renders = Renders()
            router.group("short").cached(by: cache, for: .seconds(1)).get { _, _ in "\(await renders.next())" }
            router.group("long").cached(by: cache, for: .seconds(600)).get { _, _ in "long" }
            router.addCacheAdministration(of: cache, access: .token(try #require(BearerToken("0123456789abcdef"))))
            var application = Application(router: router, logger: .silent)
            application.addServices(cache)
            try await application.test(.live) { api in
                try await eventually("the store is connected") { store.isAvailable }
                let admin: HTTPFields = [.authorization: "Bearer 0123456789abcdef"]
                _ = try await api.send(.get, "/long")
                // If the machine pauses for a second in between, the entry expires, and the requests are repeated.
                var hits = 0
                var last = try await api.send(.get, "/short")
                while hits == 0 {
                    let next = try await api.send(.get, "/short")
                    if next.isHit, next.text == last.text { hits += 1 }
                    last = next
                }
                try await eventually("the entry has expired in Redis") {
                    (try? await client.pttl("larder:3:GET:/short", deadline: .seconds(30))) == .noSuchKey
                }
                let metrics = try await api.send(.get, "/metrics/cache", admin)
                #expect(metrics.text.hasSuffix(#""total_cached_keys":1}"#))
                let fresh = try await api.send(.get, "/short")
                #expect(!fresh.isHit && fresh.text != last.text)
                #expect(try await api.send(.get, "/long").isHit)
            }
        }
    }

    @Test func `While Redis is down, the metrics report the last number of keys, and that it is down`() async throws {
        try await withRedis { redis, store, _ in
            try await serve(ResponseCache(store: store)) { api in
                try await eventually("the store is connected") { store.isAvailable }
                _ = try await api.send(.get, "/api/users/1")
                let before = try await api.send(.get, "/metrics/cache")
                #expect(before.text.hasSuffix(#""total_cached_keys":1}"#) && !before.text.contains("store_available"))
                redis.kill()
                try await eventually("the store is unavailable") { !store.isAvailable }
                let after = try await api.send(.get, "/metrics/cache")
                #expect(after.status == .ok && after.text.contains(#""store_available":false,"#))
                #expect(after.text.hasSuffix(#""total_cached_keys":1}"#))
            }
        }
    }

    private actor Renders {
        private var count = 0

        func next() -> Int {
            count += 1
            return count
        }
    }

    /// Runs a server, a store on it, and a client that inspects what the store has written.
    private func withRedis(
        _ test: @escaping @Sendable (RedisProcess, RedisStore, RedisClient) async throws -> Void
    ) async throws {
        try await RedisProcess.run { redis in
            let store = try RedisStore(.longTimeouts(redis.port), options: .longTimeouts, logger: .silent)
            try await withClient(of: redis) { client in try await test(redis, store, client) }
        }
    }
}
