import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Invalidations while Redis does not answer, and the writes that wait for them.
@Suite(.timeLimit(.minutes(5))) struct PendingTests {
    /// Returns options by which reads wait as long as necessary, and invalidations for a separate timeout.
    private static func options(invalidations timeout: Duration) -> RedisStore.Options {
        var options = RedisStore.Options.longTimeouts
        options.invalidationTimeout = timeout
        options.failureLimit = 1
        return options
    }

    private func withStore(
        invalidations timeout: Duration,
        _ body: (RedisStore, RedisProcess) async throws -> Void
    ) async throws {
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis, options: Self.options(invalidations: timeout)) { stores in
                try await body(stores[0], redis)
            }
        }
    }

    @Test func `An invalidation that a hung Redis does not confirm is pending, and is delivered later`() async throws {
        try await withStore(invalidations: .milliseconds(500)) { store, redis in
            #expect(await store.put("v0", at: "/a"))
            redis.signal(SIGSTOP)
            let waited = await ContinuousClock().measure {
                #expect(await store.invalidate([.path("/a")]) == .pending)
            }
            #expect(waited >= .milliseconds(500))
            #expect(store.pendingInvalidations == 1)
            // The invalidation was late, which stops no read from Redis.
            #expect(store.isAvailable)
            // The store knows by now that Redis is away.
            let again = await ContinuousClock().measure {
                #expect(await store.invalidate([.path("/b")]) == .pending)
                let key = EntryLocation("/c").key
                #expect(await store.invalidate([.key(key)]) == .pending)
            }
            #expect(again < .milliseconds(500))
            #expect(store.pendingInvalidations == 3)
            redis.signal(SIGCONT)
            try await eventually("they are delivered") { store.pendingInvalidations == 0 }
            #expect(await store.texts(at: "/a").isEmpty)
            #expect(await store.invalidate([.path("/b")]) == .acknowledged)
        }
    }

    @Test func `An invalidation of very many scopes has one deadline`() async throws {
        try await withStore(invalidations: .milliseconds(100)) { store, _ in
            await store.invalidate([.path("/first")])
            // The scopes take 500 commands, each of which is in time by itself.
            let scopes = (0..<50_000).map { InvalidationScope.path(CachePath(segments: ["\($0)"])) }
            #expect(await store.invalidate(scopes) == .pending)
            try await eventually("they are delivered") { store.pendingInvalidations == 0 }
            #expect(await store.invalidate([.path("/a")]) == .acknowledged)
        }
    }

    @Test func `The result of removing a key says that its invalidation is pending`() async throws {
        var options = Self.options(invalidations: .milliseconds(50))
        options.timeout = .milliseconds(50)
        options.timeoutBounds = .milliseconds(50) ... .milliseconds(50)
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis, options: options) { stores in
                redis.signal(SIGSTOP)
                let removal = await stores[0].remove(EntryLocation("/a").key, at: WallClock.system.now)
                #expect(removal == RemovalResult(removed: nil, invalidation: .pending))
                redis.signal(SIGCONT)
                try await eventually("it is delivered") { stores[0].pendingInvalidations == 0 }
            }
        }
    }

    @Test func `A Redis that answers again within the deadline acknowledges the invalidation`() async throws {
        try await withStore(invalidations: .seconds(60)) { store, redis in
            redis.signal(SIGSTOP)
            async let first = store.invalidate([.path("/a")])
            async let second = store.invalidate([.tag("b"), .prefix("/c")])
            for _ in 0..<100 { await Task.yield() }
            redis.signal(SIGCONT)
            let results = await [first, second]
            #expect(results == [.acknowledged, .acknowledged])
            #expect(store.pendingInvalidations == 0)
        }
    }

    @Test func `A Redis that is restarted within the deadline acknowledges what was queued meanwhile`() async throws {
        try await withStore(invalidations: .seconds(60)) { store, redis in
            redis.kill()
            try await eventually("the connection is lost") { store.connectionCount == 0 }
            let writes = (0..<50).map { id in
                Task { await store.invalidate([.path(CachePath("/\(id)"))]) }
            }
            try await eventually("they wait") { store.pendingInvalidations == 50 }
            try redis.start()
            for write in writes { #expect(await write.value == .acknowledged) }
            #expect(store.pendingInvalidations == 0)
            // The server acknowledges before the connection takes other commands.
            try await eventually("it stores") { await store.put("v1", at: "/1") }
            #expect(await store.texts(at: "/1") == ["v1"])
        }
    }

    @Test func `A store with pending invalidations reconnects at once, however long its pause is`() async throws {
        try await RedisProcess.run { redis in
            var configuration = RedisConfiguration.longTimeouts(redis.port)
            configuration.reconnecting = ReconnectPlan(first: .seconds(3_600), longest: .seconds(3_600))
            let options = Self.options(invalidations: .milliseconds(1))
            let store = try RedisStore(configuration, options: options, logger: .silent)
            try await withRunning([store]) {
                redis.kill()
                try await eventually("the connections are lost") { store.connectionCount == 0 }
                #expect(await store.invalidate([.path("/a")]) == .pending)
                try redis.start()
                try await eventually("it is delivered") { store.pendingInvalidations == 0 && store.isAvailable }
            }
        }
    }

    @Test func `A Redis that is no longer asked by reads still acknowledges invalidations`() async throws {
        var options = Self.options(invalidations: .seconds(60))
        options.timeout = .milliseconds(10)
        options.timeoutBounds = .milliseconds(10) ... .milliseconds(10)
        options.failureSpan = .zero
        options.retryPause = .seconds(3_600)
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis, options: options) { stores in
                redis.signal(SIGSTOP)
                while stores[0].isAvailable { _ = await stores[0].texts(at: "/a") }
                redis.signal(SIGCONT)
                #expect(await stores[0].invalidate([.path("/a")]) == .acknowledged)
                #expect(!stores[0].isAvailable)
            }
        }
    }

    @Test func `While Redis is known to be away no write waits for it`() async throws {
        try await withStore(invalidations: .seconds(1)) { store, redis in
            redis.kill()
            try await eventually("the connection is lost") { store.connectionCount == 0 }
            #expect(await store.invalidate([.path("/a")]) == .pending)
            let waited = await ContinuousClock().measure {
                for _ in 0..<100 { #expect(await store.invalidate([.path("/a")]) == .pending) }
            }
            #expect(waited < .seconds(1))
        }
    }

    @Test func `Cancelling the caller does not cancel the invalidation`() async throws {
        try await withStore(invalidations: .seconds(60)) { store, _ in
            #expect(await store.put("v0", at: "/a"))
            let write = Task { await store.invalidate([.path("/a")]) }
            write.cancel()
            #expect(await write.value == .acknowledged)
            #expect(await store.texts(at: "/a").isEmpty)
        }
    }

    @Test func `Waiting invalidations end when the store stops`() async throws {
        let waiting = try await RedisProcess.run { redis in
            var waiting: Task<InvalidationResult, Never>?
            try await withStores(1, on: redis, options: Self.options(invalidations: .seconds(600))) { stores in
                redis.kill()
                try await eventually("the connection is lost") { stores[0].connectionCount == 0 }
                waiting = Task { await stores[0].invalidate([.path("/a")]) }
                try await eventually("it waits") { stores[0].pendingInvalidations == 1 }
            }
            return waiting
        }
        #expect(await waiting?.value == .pending)
    }

    @Test func `The response to a write says that its invalidation is pending`() async throws {
        try await withStore(invalidations: .seconds(2)) { store, redis in
            let cache = ResponseCache(store: store)
            var request = HTTPRequest.get("/posts")
            request.method = .put
            let origin = TestOrigin { _ in TestResponse("written") }
            let policy = CachePolicy.fresh(for: .seconds(60))
            let before = try await cache.respond(to: request, under: policy, from: origin)
            #expect(!before.cacheStatusText.contains("detail"))
            redis.signal(SIGSTOP)
            let response = try await cache.respond(to: request, under: policy, from: origin)
            #expect(response.cacheStatusText.contains("detail=invalidation-pending"))
            redis.signal(SIGCONT)
            try await eventually("it is delivered") { store.pendingInvalidations == 0 }
        }
    }

    @Test func `Without Redis requests share a fetch that begins after they arrived, even if others write meanwhile`()
        async throws
    {
        try await withStore(invalidations: .milliseconds(1)) { store, redis in
            redis.kill()
            try await eventually("the connection is lost") { store.connectionCount == 0 }
            let cache = ResponseCache(store: store)
            let rendered = Gate()
            let origin = TestOrigin { _ in
                await rendered.pass()
                return TestResponse("v0")
            }
            let policy = CachePolicy.fresh(for: .seconds(60)).coalescing(timeout: .seconds(600))
            func get() -> Task<TestResponse, any Error> {
                Task { try await cache.respond(to: .get("/posts"), under: policy, from: origin) }
            }
            var requests = [get()]
            await rendered.reached()
            for number in 1...10 {
                await cache.invalidate(.path("/other"), .tag("other"))
                requests.append(get())
                try await eventually("it waits") { cache.waiterCount == number }
            }
            rendered.open()
            for request in requests {
                let response = try await request.value
                #expect(try await response.text == "v0")
                #expect(response.cacheStatusText.contains("store-unavailable"))
            }
            // The first request's fetch is one, and all requests that arrived while it was under way share another.
            #expect(origin.fetches.count == 2)
        }
    }

    @Test func `Without Redis a request after a write to the same path does not share an earlier fetch`()
        async throws
    {
        try await withStore(invalidations: .milliseconds(1)) { store, redis in
            redis.kill()
            try await eventually("the connection is lost") { store.connectionCount == 0 }
            let cache = ResponseCache(store: store)
            let (row, rendered) = (Row("v0"), Gate())
            let origin = TestOrigin { _ in
                let text = row.text
                if text == "v0" { await rendered.pass() }
                return TestResponse(text)
            }
            let policy = CachePolicy.fresh(for: .seconds(60)).coalescing(timeout: .seconds(600))
            let before = Task { try await cache.respond(to: .get("/posts"), under: policy, from: origin) }
            await rendered.reached()
            row.text = "v1"
            await cache.invalidate(.path("/posts"))
            let after = Task { try await cache.respond(to: .get("/posts"), under: policy, from: origin) }
            try await eventually("it waits for the next fetch") { cache.waiterCount == 1 }
            rendered.open()
            #expect(try await before.value.text == "v0")
            #expect(try await after.value.text == "v1")
        }
    }

    @Test func `While an invalidation is pending nothing is served from a Redis that answers reads`() async throws {
        try await withStore(invalidations: .milliseconds(100)) { store, redis in
            try await RedisCLI.connect(to: redis) { cli in
                for target in ["/a", "/b"] { #expect(await store.put(target, at: target)) }
                try await cli.send("ACL", "SETUSER", "default", "-eval", "-evalsha")
                #expect(await store.invalidate([.path("/a")]) == .pending)
                #expect(store.pendingInvalidations == 1 && store.isAvailable)
                #expect(await store.texts(at: "/a").isEmpty)
                // The store cannot know what else the invalidation concerns.
                #expect(await store.texts(at: "/b").isEmpty)
                try await cli.send("ACL", "SETUSER", "default", "+eval", "+evalsha")
                try await eventually("it is delivered") { store.pendingInvalidations == 0 }
                #expect(await store.texts(at: "/a").isEmpty)
                #expect(await store.texts(at: "/b") == ["/b"])
            }
        }
    }

    @Test(arguments: [(1 << 20, true), ((1 << 20) + 1, false)])
    func `A body is stored in Redis up to exactly the limit`(
        _ length: Int,
        _ isStored: Bool
    ) async throws {
        try await RedisProcess.run { redis in
            var configuration = RedisConfiguration.longTimeouts(redis.port)
            configuration.connections = 1
            let store = try RedisStore(configuration, options: .longTimeouts, logger: .silent)
            try await withRunning([store]) {
                let cache = ResponseCache(store: store)
                let origin = TestOrigin { _ in
                    TestResponse(head: HTTPResponse(status: .ok), body: ByteBuffer(repeating: 7, count: length))
                }
                for _ in 0..<2 {
                    _ = try await cache.respond(to: .get("/a"), under: .fresh(for: .seconds(600)), from: origin)
                }
                #expect(origin.fetches.count == (isStored ? 1 : 2))
                #expect(await store.count() == (isStored ? 1 : 0))
            }
        }
    }
}

/// The waiters for deliveries.
@Suite(.timeLimit(.minutes(5))) struct AcknowledgementQueueTests {
    @Test(arguments: [1, 2, 3] as [UInt64]) func `Each waiter is resumed once, and not too early`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = AcknowledgementQueue<UInt64>()
        var model: [UInt64: Outbox.Turn] = [:]
        var confirmed: Outbox.Turn = 0
        for id in 0..<2_000 as Range<UInt64> {
            let turn = Outbox.Turn.random(in: 0...confirmed + 10, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let waits = queue.wait(id, for: turn, id)
                #expect(waits == (turn > confirmed))
                if waits { model[id] = turn }
            case 2:
                let told = Set(queue.confirm(through: turn))
                confirmed = max(confirmed, turn)
                #expect(told == Set(model.filter { $0.value <= confirmed }.keys), "seed \(seed)")
                for id in told { model[id] = nil }
            default:
                guard let id = model.keys.randomElement(using: &random) else { continue }
                #expect(queue.leave(id) == id && queue.leave(id) == nil)
                model[id] = nil
            }
            #expect(queue.count == model.count && queue.confirmed == confirmed)
        }
        #expect(Set(queue.removeAll()) == Set(model.keys) && queue.count == 0)
    }
}
