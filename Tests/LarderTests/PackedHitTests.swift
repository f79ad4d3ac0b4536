import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// Hits on responses that the memory store has packed: the memory of the copies, and the uses that are counted.
@Suite(.timeLimit(.minutes(5))) struct PackedHitTests {
    private let clock = ManualClock()

    private func location(_ path: String) -> EntryLocation {
        EntryLocation(key: CacheKey(legal: "GET:\(path)"), target: path)
    }

    private func fill(_ store: MemoryStore, count: Int, bytes: Int) async {
        let version = await store.load(location("/"), at: clock.now).readVersion
        let text = String(repeating: "x", count: bytes)
        for id in 0..<count {
            let entry = CacheEntry.sample(
                text,
                at: location("/\(id)"),
                readVersion: version,
                now: clock.now,
                [.contentLength: "\(bytes)"]
            )
            _ = await store.save(entry, at: clock.now)
        }
    }

    @Test func `Copies that are being sent take no more than the budget and the store's part for copies`() async throws
    {
        let store = MemoryStore(limit: .mebibytes(64), shardCount: 1, clock: clock.clock)
        await fill(store, count: 1_000, bytes: 4_000)
        let limits = CacheLimits(bodiesInFlight: .kibibytes(100))
        let cache = ResponseCache(store: store, limits: limits, clock: clock.clock)
        let policy = CachePolicy.fresh(for: .seconds(60))
        let origin = TestOrigin { _ in TestResponse("new") }
        var sent: [ServedResponse] = []
        for id in 0..<1_000 {
            if let (response, _) = cache.respondAtOnce(
                to: .get("/\(id)"),
                under: SharedPolicy(policy),
                encodedBy: { $0 }
            ) {
                sent.append(response)
            }
        }
        let bytes = sent.reduce(0) { $0 + ($1.entry?.cost ?? 0) }
        #expect(sent.count > 50 && bytes <= 100 << 10 + MemoryShard.hotMinimum)
        #expect(cache.inFlight.used <= 100 << 10 + MemoryShard.hotMinimum)
        // The others are sent by the origin, as those from Redis would be.
        let answer = try await cache.respond(to: .get("/900"), under: policy, from: origin)
        #expect(try await answer.text == "new" && origin.forwards == 1)
        sent = []
        #expect(cache.inFlight.used == 0)
        let again = try await cache.respond(to: .get("/900"), under: policy, from: origin)
        #expect(try await again.text.count == 4_000 && origin.forwards == 1)
        store.validate()
    }

    @Test func `A response that the store has in packed form only is not held by the store`() async throws {
        let store = MemoryStore(limit: .mebibytes(64), shardCount: 1, clock: clock.clock)
        await fill(store, count: 1, bytes: 4_000)
        let budget = InFlightBudget(limit: .mebibytes(1))
        let first = try #require(store.find(location("/0"), at: clock.now)?.first)
        #expect(first.isHeldByStore && first.take(from: budget) && budget.used == 0)
        await fill(store, count: 500, bytes: 3_000)
        // The entry was replaced, and the new one is packed.
        #expect(!first.isHeldByStore && first.isInFlight && budget.used == first.cost)
        let second = try #require(store.find(location("/0"), at: clock.now)?.first)
        #expect(second !== first && second.isHeldByStore)
        for id in 1..<400 { _ = store.find(location("/\(id)"), at: clock.now) }
        // Its object was given up, and the response is still stored.
        #expect(!second.isHeldByStore)
        let third = try #require(store.find(location("/0"), at: clock.now)?.first)
        #expect(third !== second && third.isHeldByStore && third.body == second.body)
        await store.invalidate([.key(location("/0").key)])
        #expect(!third.isHeldByStore && store.find(location("/0"), at: clock.now) == nil)
    }

    @Test func `A hit on an object that the store has given up is not remembered`() async throws {
        let store = MemoryStore(limit: .mebibytes(64), shardCount: 1, clock: clock.clock)
        await fill(store, count: 500, bytes: 3_000)
        let cache = ResponseCache(store: store, clock: clock.clock)
        let policy = CachePolicy.fresh(for: .seconds(60))
        let (_, hit) = try #require(cache.respondAtOnce(to: .get("/0"), under: SharedPolicy(policy), encodedBy: { $0 }))
        #expect(hit != nil)
        let (_, lost) = try #require(
            cache.respondAtOnce(to: .get("/0"), under: SharedPolicy(policy)) { response in
                for id in 1..<400 { _ = store.find(location("/\(id)"), at: clock.now) }
                return response
            }
        )
        #expect(lost == nil)
    }

    @Test func `A request counts one use of the response that answers it, however often it looks it up`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(30))
        let text = Row("one")
        let gate = Gate()
        let origin = TestOrigin { _ in
            if text.text == "two" { await gate.pass() }
            return TestResponse(text.text, [.cacheControl: "max-age=10, stale-while-revalidate=30"])
        }
        _ = try await bench.get(under: policy, from: origin)
        func entry() throws -> CacheEntry {
            try #require(bench.store.find(location("/posts"), at: bench.clock.now)?.first)
        }
        #expect(try entry().takeUses() == 0)
        _ = try await bench.get(under: policy, from: origin)
        #expect(try entry().takeUses() == 1)
        let (_, hit) = try #require(
            bench.cache.respondAtOnce(to: .get("/posts"), under: SharedPolicy(policy), encodedBy: { $0.head.status })
        )
        #expect(try entry().takeUses() == 1)
        // A hit that is sent in the ordinary way after all.
        #expect(
            bench.cache.respondAtOnce(to: .get("/posts"), under: SharedPolicy(policy), encodedBy: { _ in Int?.none })
                == nil
        )
        #expect(try entry().takeUses() == 0)
        #expect(bench.cache.repeat(try #require(hit)) != nil)
        #expect(try entry().takeUses() == 1)
        bench.clock.advance(by: .seconds(11))
        #expect(bench.cache.repeat(try #require(hit)) == nil)
        text.text = "two"
        // It is looked up twice: in memory, and then by the store.
        _ = try await bench.get(under: policy, from: origin)
        #expect(try entry().takeUses() == 1)
        gate.open()
        await bench.cache.idle()
    }
}
