import HTTPCaching
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// A store that implements the required functions alone.
@Suite(.timeLimit(.minutes(5))) struct MinimalStoreTests {
    private struct MinimalStore: CacheStore {
        let memory: MemoryStore

        func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
            await memory.load(location, for: query, at: now)
        }

        func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity { await memory.save(entry, at: now) }

        func discard(_ entry: CacheEntry) async { await memory.discard(entry) }

        func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
            await memory.validity(of: readVersion, scopes: scopes)
        }

        func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult { await memory.invalidate(scopes) }

        func count(at now: Timestamp) async -> Int { await memory.count(at: now) }
    }

    @Test(arguments: StoreBehaviour.all)
    func `A store with the default functions behaves as every store must`(_ behaviour: StoreBehaviour) async throws {
        let clock = ManualClock()
        let memory = MemoryStore(
            limit: behaviour.limits.limit,
            versionLimit: behaviour.limits.versionLimit,
            variantLimit: behaviour.limits.variantLimit,
            clock: clock.clock
        )
        var bench = StoreBench(MinimalStore(memory: memory), clock: clock)
        bench.countsRemovals = false
        try await behaviour.check(on: bench)
    }

    @Test func `The defaults are those of the documentation`() async throws {
        let clock = ManualClock()
        let store = MinimalStore(memory: MemoryStore(limit: .mebibytes(64), clock: clock.clock))
        let cache = ResponseCache(store: store, clock: clock.clock)
        let origin = TestOrigin { _ in TestResponse("v") }
        func get() async throws -> TestResponse {
            try await cache.respond(to: .get("/a"), under: .fresh(for: .seconds(60)), from: origin)
        }
        #expect(try await get().isMiss)
        #expect(try await get().isHit)
        let location = EntryLocation(key: try #require(CacheKey("GET:/a")), target: "/a")
        #expect(store.find(location, at: clock.now) == nil)
        #expect(store.isAvailable && store.entryLimit == CacheEntry.limit(forBodiesOf: .mebibytes(1)))
        let removal = await cache.remove(location.key)
        #expect(removal == RemovalResult(removed: nil, invalidation: .acknowledged) && removal.wasStored)
        #expect(try await get().isMiss)
    }

    @Test func `A store without background work runs until its task is cancelled`() async throws {
        let store = MinimalStore(memory: MemoryStore(limit: .mebibytes(1)))
        let running = Task { try await ResponseCache(store: store).run() }
        for _ in 0..<100 { await Task.yield() }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
    }
}
