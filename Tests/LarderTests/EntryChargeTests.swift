import HTTPCaching
import LarderTestSupport
import Testing

@testable import Larder

/// The memory that stored responses take of the budget for bodies in flight.
@Suite(.timeLimit(.minutes(5))) struct EntryChargeTests {
    private let clock = ManualClock()
    private let budget = InFlightBudget(limit: .kibibytes(64))

    private func entry(_ path: String, bytes: Int = 10_000, readVersion: LogVersion) -> CacheEntry {
        let location = EntryLocation(key: CacheKey(legal: "GET:\(path)"), target: path)
        return .sample(String(repeating: "x", count: bytes), at: location, readVersion: readVersion, now: clock.now)
    }

    @Test func `A response is charged until a store has it, and again from its removal to its last use`() async {
        let store = MemoryStore(limit: .mebibytes(1), shardCount: 1)
        let location = EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a")
        let readVersion = await store.load(location, at: clock.now).readVersion
        var entry: CacheEntry? = entry("/a", readVersion: readVersion)
        let cost = entry?.cost ?? 0
        entry?.charge(to: budget)
        entry?.charge(to: budget)
        #expect(budget.used == cost)
        if let entry { _ = await store.save(entry, at: clock.now) }
        #expect(budget.used == 0)
        await store.invalidate([.key(location.key)])
        await store.idle()
        #expect(budget.used == cost)
        entry = nil
        #expect(budget.used == 0)
    }

    @Test func `A response that is evicted while nothing uses it is not charged`() async {
        let store = MemoryStore(limit: .kibibytes(64), entryLimit: .kibibytes(32), shardCount: 1)
        let location = EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a")
        let readVersion = await store.load(location, at: clock.now).readVersion
        for place in 0..<50 {
            let entry = entry("/\(place)", readVersion: readVersion)
            entry.charge(to: budget)
            _ = await store.save(entry, at: clock.now)
        }
        #expect(await store.count(at: clock.now) < 10)
        #expect(budget.used == 0)
    }

    @Test func `A response of another process is used only if the budget has room for it`() {
        let readVersion = LogVersion(epoch: .new(), number: 0)
        let first = entry("/a", bytes: 40_000, readVersion: readVersion)
        let taken = first.take(from: budget)
        let again = first.take(from: budget)
        let second = entry("/b", bytes: 40_000, readVersion: readVersion).take(from: budget)
        #expect(taken && again && !second)
        #expect(budget.used == first.cost)
    }
}
