import HTTPCaching
import HTTPTypes
import LarderTestSupport
import NIOCore
import Testing

@testable import Larder

/// The data structures against naive models, by seeded random operations.
@Suite(.timeLimit(.minutes(5))) struct StructureTests {
    @Test(arguments: [1, 2, 3] as [UInt64]) func `A heap returns the lowest priority first`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var heap = IndexedHeap<Int>()
        var model: [Int: Int] = [:]
        for _ in 0..<3_000 {
            let id = Int.random(in: 0..<50, using: &random)
            if Bool.random(using: &random) {
                let priority = Int.random(in: 0..<1_000, using: &random)
                heap.set(id, to: priority)
                model[id] = priority
            } else {
                heap.remove(id)
                model[id] = nil
            }
            heap.validate()
            #expect(heap.first?.priority == model.values.min(), "seed \(seed)")
            #expect(heap.priority(of: id) == model[id], "seed \(seed)")
        }
    }

    @Test func `Counts are exact up to the room, and what is certain is never too high beyond it`() throws {
        var random = SeededRandom(seed: 4)
        var summary = SpaceSaving(room: 20)
        var model: [CacheKey: Int] = [:]
        for step in 1...5_000 {
            let isHot = Bool.random(using: &random)
            let id = Int.random(in: 0..<(isHot ? 5 : 200), using: &random)
            let key = try #require(CacheKey("GET:/\(id)"))
            summary.count(key)
            model[key, default: 0] += 1
            summary.validate()
            let isExact = model.count <= 20
            for counted in summary.counts {
                let truth = try #require(model[counted.key])
                #expect(isExact ? counted.count == truth : truth...(truth + step / 20) ~= counted.count)
                let certain = counted.count - counted.error
                #expect(isExact ? certain == truth : max(1, truth - step / 20)...truth ~= certain)
            }
        }
    }

    @Test func `A million keys do not grow the counts`() throws {
        let keys = TopKeys(guaranteed: 64)
        let hot = try #require(CacheKey("GET:/hot"))
        for id in 0..<1_000_000 {
            keys.count(CacheKey(legal: "GET:/\(id)"))
            if id.isMultiple(of: 4) { keys.count(hot) }
        }
        keys.validate()
        #expect(keys.top(.max).count == 64 * 8)
        let top = keys.top(2)
        #expect(top.first?.key == hot && (240_000...250_000).contains(top.first?.count ?? 0))
        // A key that was requested once is never reported with more.
        #expect(top.last?.count == 1)
    }

    @Test(arguments: [5, 6] as [UInt64]) func `A log compares as a list of all versions would`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var log = InvalidationLog(limit: 10)
        var versions: [InvalidationScope.Fingerprint: UInt64] = [:]
        func scope(_ id: Int) -> InvalidationScope.Fingerprint { InvalidationScope.tag("t\(id)").fingerprint }
        for _ in 0..<2_000 {
            let scopes = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                scope(Int.random(in: 0..<30, using: &random))
            }
            log.invalidate(scopes)
            for scope in scopes { versions[scope] = log.number }
            log.validate()
            let readVersion = UInt64.random(in: 0...log.number, using: &random)
            let id = scope(Int.random(in: 0..<30, using: &random))
            let isValid = log.isValid(LogVersion(epoch: log.epoch, number: readVersion), scopes: [id])
            // The log may drop versions, and then finds valid responses invalid; it never finds invalid ones valid.
            let truth = readVersion >= versions[id] ?? 0
            #expect(!isValid || truth, "seed \(seed)")
            #expect(isValid == (truth && readVersion >= log.floor), "seed \(seed)")
        }
        #expect(!log.isValid(LogVersion(epoch: .new(), number: .max), scopes: [InvalidationScope.Fingerprint]()))
    }

    @Test func `The oldest unused slot is evicted first`() {
        var queue = EvictionQueue()
        for slot in 0..<4 { queue.insert(slot) }
        queue.use(0)
        #expect(queue.victim() == 1)
        queue.remove(1)
        #expect(queue.victim() == 2)
        queue.validate()
        queue.remove(2)
        queue.remove(0)
        #expect(queue.victim() == 3)
        queue.remove(3)
        #expect(queue.victim() == nil)
        queue.validate()
    }

    @Test(arguments: [8, 9, 10] as [UInt64]) func `A store agrees with its model`(_ seed: UInt64) async {
        var random = SeededRandom(seed: seed)
        let clock = ManualClock()
        let store = MemoryStore(limit: .kibibytes(64), entryLimit: .kibibytes(8), shardCount: 2, versionLimit: 5)
        var model: [CacheKey: (text: String, until: Timestamp)] = [:]
        for step in 0..<2_000 {
            let id = Int.random(in: 0..<40, using: &random)
            let location = EntryLocation(key: CacheKey(legal: "GET:/\(id % 4)/\(id)"), target: "/\(id % 4)/\(id)")
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                let life = Duration.seconds(Int.random(in: 1...30, using: &random))
                let text = String(repeating: "x", count: Int.random(in: 0...6_000, using: &random)) + "\(step)"
                let readVersion = await store.load(location, at: clock.now).readVersion
                let entry = CacheEntry.sample(
                    text,
                    at: location,
                    readVersion: readVersion,
                    now: clock.now,
                    freshFor: life
                )
                #expect(await store.save(entry, at: clock.now).isValid)
                // An entry that is too large is not stored, and the entry that it replaces is removed.
                model[location.key] = entry.cost <= 8_192 ? (text, clock.now.advanced(by: life)) : nil
            case 4..<7:
                let found = await store.load(location, at: clock.now).entries.first.map { String(buffer: $0.body) }
                // The store may have evicted the entry, but never has one that the model has not.
                if let found {
                    #expect(found.suffix(6) == model[location.key]?.text.suffix(6), "seed \(seed)")
                    #expect(model[location.key].map { clock.now < $0.until } == true, "seed \(seed)")
                }
            case 7:
                _ = await store.remove(location.key, at: clock.now)
                model[location.key] = nil
            case 8:
                await store.invalidate([.prefix(CachePath(bytes: "/\(id % 4)".utf8))])
                model = model.filter { !$0.key.description.hasPrefix("GET:/\(id % 4)/") }
            default: clock.advance(by: .milliseconds(Int.random(in: 0...3_000, using: &random)))
            }
            store.validate()
            #expect(store.size <= .kibibytes(64))
        }
        let valid = model.values.count { clock.now < $0.until }
        #expect(await store.count(at: clock.now) <= valid, "seed \(seed)")
        clock.advance(by: .seconds(60))
        #expect(await store.count(at: clock.now) == 0)
        await store.removeUnusable(at: clock.now)
        #expect(store.size == .bytes(0))
    }
}
