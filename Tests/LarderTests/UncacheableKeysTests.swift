import HTTPCaching
import LarderTestSupport
import Testing

@testable import Larder

/// The set of keys whose responses were not storable lately.
@Suite(.timeLimit(.minutes(5))) struct UncacheableKeysTests {
    @Test func `A key is forgotten after its time, and there are never more keys than the limit`() throws {
        let clock = ManualClock()
        var memo = UncacheableKeys<CacheKey>(limit: 10, span: .seconds(30))
        for id in 0..<100 {
            memo.add(CacheKey(legal: "GET:/\(id)"), at: clock.now)
            memo.validate()
        }
        #expect(memo.count == 10)
        #expect(memo.contains(CacheKey(legal: "GET:/99"), at: clock.now))
        #expect(!memo.contains(CacheKey(legal: "GET:/0"), at: clock.now))
        memo.forget(CacheKey(legal: "GET:/98"))
        #expect(!memo.contains(CacheKey(legal: "GET:/98"), at: clock.now))
        clock.advance(by: .seconds(30))
        #expect(!memo.contains(CacheKey(legal: "GET:/99"), at: clock.now))
    }

    @Test func `A key that is added repeatedly does not evict another key`() {
        let clock = ManualClock()
        var memo = UncacheableKeys<Int>(limit: 10_000, span: .seconds(30))
        for key in 0..<100 { memo.add(key, at: clock.now) }
        for _ in 0..<20_000 { memo.add(1_000, at: clock.now) }
        memo.validate()
        #expect(memo.count == 101)
        for key in 0..<100 { #expect(memo.contains(key, at: clock.now)) }
    }

    @Test func `A key that is added again is remembered for the whole span from then on`() {
        let clock = ManualClock()
        var memo = UncacheableKeys<String>(limit: 2, span: .seconds(30))
        memo.add("a", at: clock.now)
        clock.advance(by: .seconds(20))
        memo.add("b", at: clock.now)
        memo.add("a", at: clock.now)
        clock.advance(by: .seconds(20))
        #expect(memo.contains("a", at: clock.now) && memo.contains("b", at: clock.now))
        // The key that was added longest ago is evicted.
        memo.add("c", at: clock.now)
        #expect(memo.contains("a", at: clock.now) && !memo.contains("b", at: clock.now))
        memo.validate()
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `The set agrees with a list of all additions`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let clock = ManualClock()
        let (limit, span) = (8, Duration.seconds(10))
        var memo = UncacheableKeys<Int>(limit: limit, span: span)
        /// The keys in the order in which they were added last.
        var model: [(key: Int, until: Timestamp)] = []
        for _ in 0..<5_000 {
            let key = Int.random(in: 0..<14, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<5:
                memo.add(key, at: clock.now)
                model.removeAll { $0.key == key || $0.until <= clock.now }
                model.append((key, clock.now.advanced(by: span)))
                model.removeFirst(max(0, model.count - limit))
            case 5:
                memo.forget(key)
                model.removeAll { $0.key == key }
            default: clock.advance(by: .milliseconds(Int.random(in: 0...3_000, using: &random)))
            }
            memo.validate()
            for key in 0..<14 {
                let isKnown = model.contains { $0.key == key && clock.now < $0.until }
                #expect(memo.contains(key, at: clock.now) == isKnown, "key \(key), seed \(seed)")
            }
        }
    }

    @Test(arguments: [16, 17] as [UInt64])
    func `The set remembers keys for at most the span, and no more than the limit`(_ seed: UInt64) {
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
