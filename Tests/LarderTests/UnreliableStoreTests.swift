import HTTPCaching
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import TestHelpers
import Testing

/// A cache whose store fails, hangs or answers late.
@Suite(.timeLimit(.minutes(5))) struct UnreliableStoreTests {
    private struct Bench {
        let clock = ManualClock()
        let store: UnreliableStore
        let cache: ResponseCache

        init() {
            store = UnreliableStore(MemoryStore(limit: .mebibytes(16), clock: clock.clock), clock: clock.clock)
            cache = ResponseCache(store: store, clock: clock.clock)
        }

        func get(_ path: String = "/a", from origin: TestOrigin) async throws -> TestResponse {
            try await cache.respond(to: .get(path), under: .fresh(for: .seconds(60)), from: origin)
        }
    }

    @Test(arguments: StoreBehaviour.all, [UnreliableStore.Condition.available, .slow(.zero)])
    func `A store that can be reached behaves as every store must`(
        _ behaviour: StoreBehaviour,
        _ condition: UnreliableStore.Condition
    ) async throws {
        let clock = ManualClock()
        let limits = behaviour.limits
        let memory = MemoryStore(
            limit: limits.limit,
            entryLimit: limits.entryLimit,
            versionLimit: limits.versionLimit,
            variantLimit: limits.variantLimit,
            clock: clock.clock
        )
        let store = UnreliableStore(memory, condition: condition, clock: clock.clock)
        try await behaviour.check(on: StoreBench(store, clock: clock))
    }

    @Test func `Without its store a cache asks the origin, and stores nothing`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(from: origin)
        #expect(await bench.cache.count() == 1)
        bench.store.condition = .unavailable
        #expect(!bench.cache.isStoreAvailable)
        for path in ["/a", "/a", "/b"] {
            let response = try await bench.get(path, from: origin)
            #expect(try await response.text == "v")
            #expect(response.isMiss && response.cacheStatus?.detail == "store-unavailable")
        }
        #expect(origin.fetches.count == 4)
        // The last known number.
        #expect(await bench.cache.count() == 1)
        bench.store.condition = .available
        #expect(bench.cache.isStoreAvailable)
        #expect(try await bench.get("/a", from: origin).isHit)
        #expect(try await bench.get("/b", from: origin).isMiss)
    }

    @Test(arguments: [false, true])
    func `An invalidation during an outage is pending, and is delivered before anything is served`(
        _ isRemoval: Bool
    ) async throws {
        let bench = Bench()
        let row = Row("old")
        let origin = TestOrigin { _ in TestResponse(row.text) }
        for path in ["/a", "/b"] { _ = try await bench.get(path, from: origin) }
        bench.store.condition = .unavailable
        row.text = "new"
        if isRemoval {
            let key = try #require(CacheKey("GET:/a"))
            #expect(await bench.cache.remove(key) == RemovalResult(removed: nil, invalidation: .pending))
        } else {
            #expect(await bench.cache.invalidate(.path("/a")) == .pending)
        }
        #expect(bench.store.pendingInvalidations == 1)
        bench.store.condition = .available
        // Nothing is found in the memory of the process before the delivery.
        let location = EntryLocation(key: try #require(CacheKey("GET:/b")), target: "/b")
        #expect(bench.store.find(location, at: bench.clock.now) == nil)
        #expect(try await bench.get("/b", from: origin).text == "old")
        #expect(bench.store.pendingInvalidations == 0)
        #expect(bench.store.find(location, at: bench.clock.now) != nil)
        let response = try await bench.get("/a", from: origin)
        #expect(try await response.text == "new" && response.isMiss)
    }

    @Test(arguments: [false, true])
    func `A fetch that began during an outage is not stored after it`(_ isInvalidated: Bool) async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v")
        }
        bench.store.condition = .unavailable
        async let response = bench.get(from: origin)
        await gate.reached()
        if isInvalidated { await bench.cache.invalidate(.everything) }
        bench.store.condition = .available
        gate.open()
        #expect(try await response.cacheStatus?.detail == "store-unavailable")
        #expect(try await bench.get(from: origin).isMiss)
        #expect(try await bench.get(from: origin).isHit)
    }

    @Test func `A response is not stored if the store fails while it is fetched`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in
            bench.store.condition = .unavailable
            return TestResponse("v")
        }
        let response = try await bench.get(from: origin)
        #expect(response.cacheStatus?.outcome == .forwarded(.uriMiss, status: 200))
        bench.store.condition = .available
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: [UnreliableStore.Condition.available, .unavailable, .slow(.zero)])
    func `A request waits for a store that hangs, and is then answered`(
        _ condition: UnreliableStore.Condition
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(from: origin)
        bench.store.condition = .hanging
        async let response = bench.get(from: origin)
        async let result = bench.cache.invalidate(.tag("t"))
        await bench.store.waitUntilHanging(calls: 2)
        #expect(bench.store.hangingCalls == 2)
        // However long it takes: a store answers by its own deadline.
        bench.clock.advance(by: .seconds(30))
        await Task.yield()
        #expect(bench.store.hangingCalls == 2 && origin.fetches.count == 1)
        bench.store.condition = condition
        #expect(try await response.isHit == (condition != .unavailable))
        #expect(await result == (condition == .unavailable ? .pending : .acknowledged))
        #expect(bench.store.hangingCalls == 0)
    }

    @Test func `A slow store answers after its delay by the clock`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        _ = try await bench.get(from: origin)
        bench.store.condition = .slow(.seconds(2))
        let isAnswered = NIOLockedValueBox(false)
        async let response = {
            let response = try await bench.get(from: origin)
            isAnswered.withLockedValue { $0 = true }
            return response
        }()
        await bench.clock.waitUntilSleeping()
        bench.clock.advance(by: .milliseconds(1_999))
        await Task.yield()
        #expect(!isAnswered.withLockedValue { $0 } && bench.clock.sleeperCount == 1)
        bench.clock.advance(by: .milliseconds(1))
        #expect(try await response.isHit)
    }

    @Test func `A store that fails while a slow call waits fails the call`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v") }
        bench.store.condition = .slow(.seconds(2))
        async let response = bench.get(from: origin)
        await bench.clock.waitUntilSleeping()
        bench.store.condition = .unavailable
        bench.clock.advance(by: .seconds(2))
        #expect(try await response.cacheStatus?.detail == "store-unavailable")
    }

    @Test func `The other store's background work runs with the service`() async throws {
        let clock = ManualClock()
        let memory = MemoryStore(limit: .mebibytes(1), clock: clock.clock)
        let store = UnreliableStore(memory)
        #expect(store.entryLimit == memory.entryLimit)
        let running = Task { try await store.run() }
        // The memory store sleeps between two sweeps.
        await clock.waitUntilSleeping()
        running.cancel()
        try await running.value
    }
}
