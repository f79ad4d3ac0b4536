import HTTPCaching
import LarderTestSupport
import Testing

@testable import Larder

/// The eviction queue and the memory of hit-for-miss keys against naive models, by seeded random operations.
@Suite(.timeLimit(.minutes(5))) struct BoardTests {
    @Test(arguments: [14, 15] as [UInt64]) func `A queue gives its members second chances as a list would`(
        _ seed: UInt64
    ) {
        var random = SeededRandom(seed: seed)
        var queue = EvictionQueue()
        var model: [(slot: Int, wasUsed: Bool)] = []
        for _ in 0..<5_000 {
            let slot = Int.random(in: 0..<40, using: &random)
            let place = model.firstIndex { $0.slot == slot }
            switch (Int.random(in: 0..<4, using: &random), place) {
            case (0, nil), (1, nil):
                queue.insert(slot)
                model.append((slot, false))
            case (0, let place?), (1, let place?):
                queue.use(slot)
                model[place].wasUsed = true
            case (2, let place?):
                queue.remove(slot)
                model.remove(at: place)
            case (2, nil): break
            default:
                while let first = model.first, first.wasUsed {
                    model.removeFirst()
                    model.append((first.slot, false))
                }
                let victim = queue.victim()
                #expect(victim == model.first?.slot, "seed \(seed)")
            }
            queue.validate()
            #expect(queue.count == model.count, "seed \(seed)")
        }
    }

    @Test(arguments: [16, 17] as [UInt64]) func `A memo keeps its span and its limit of keys`(
        _ seed: UInt64
    ) {
        var random = SeededRandom(seed: seed)
        let clock = ManualClock()
        var memo = UncacheableKeys<CacheKey>(limit: 10, span: .seconds(30))
        var model: [CacheKey: Timestamp] = [:]
        for _ in 0..<3_000 {
            let key = CacheKey(legal: "GET:/\(Int.random(in: 0..<20, using: &random))")
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                memo.add(key, at: clock.now)
                model[key] = clock.now.advanced(by: .seconds(30))
                #expect(memo.contains(key, at: clock.now), "seed \(seed)")
            case 1:
                memo.forget(key)
                model[key] = nil
            case 2: clock.advance(by: .milliseconds(Int.random(in: 0...9_000, using: &random)))
            default:
                // The memo may have forgotten the key for lack of room, but never remembers a key that the model has
                // not.
                let isRemembered = model[key].map { clock.now < $0 } == true
                #expect(isRemembered || !memo.contains(key, at: clock.now), "seed \(seed)")
            }
            memo.validate()
        }
    }
}
