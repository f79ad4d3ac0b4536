import LarderTestSupport
import Testing

@testable import Larder

/// The rules that every eviction policy keeps, and the mistakes that others have made.
@Suite(.timeLimit(.minutes(5))) struct EvictionPolicyTests {
    private static let policies: [any EvictionPolicy.Type] = [
        S3FIFOPolicy.self, SizeAndFrequencyPolicy.self, LRUPolicy.self,
    ]

    /// A store of costs alone, with the steps of a real one.
    private struct Subject<Policy: EvictionPolicy> {
        var policy: Policy
        let capacity: Int
        var slots: [UInt64: Int] = [:]
        var free: [Int] = []
        var expired: Set<UInt64> = []

        init(_ capacity: Int) {
            policy = Policy(capacity: capacity)
            self.capacity = capacity
        }

        mutating func hit(_ key: UInt64) { if let slot = slots[key] { policy.hit(slot) } }

        mutating func remove(_ key: UInt64, isExpired: Bool = false) {
            guard let slot = slots.removeValue(forKey: key) else { return }
            policy.remove(slot, isExpired: isExpired)
            free.append(slot)
        }

        @discardableResult
        mutating func evict() -> UInt64? {
            let (policy, expired) = (self.policy, expired)
            guard let slot = self.policy.evict(isExpired: { expired.contains(policy.hash(of: $0)) }) else { return nil }
            let key = policy.hash(of: slot)
            slots[key] = nil
            free.append(slot)
            return key
        }

        /// Stores an entry in place of one with the same key. Returns true if its hash was remembered.
        @discardableResult
        mutating func store(_ key: UInt64, cost: Int) -> Bool {
            guard cost <= capacity else {
                remove(key)
                return false
            }
            if let slot = slots[key] {
                policy.resize(slot, to: cost)
                while policy.bytes > capacity, evict() != nil {}
                return false
            }
            let isRecalled = policy.recall(key)
            while policy.bytes + cost > capacity, evict() != nil {}
            let slot = free.popLast() ?? slots.count
            slots[key] = slot
            policy.insert(slot, cost: cost, hash: key, isRecalled: isRecalled)
            return isRecalled
        }
    }

    /// Compares the result of a call that changes something, which a macro cannot make.
    private func expect<Value: Equatable>(
        _ value: Value,
        is expected: Value,
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(value == expected, sourceLocation: location)
    }

    @Test(arguments: policies) func `A policy stays within its capacity and loses no entry`(
        _ type: any EvictionPolicy.Type
    ) {
        func run<Policy: EvictionPolicy>(_ type: Policy.Type, seed: UInt64) {
            var random = SeededRandom(seed: seed)
            var subject = Subject<Policy>(1_000)
            for _ in 0..<4_000 {
                let key = UInt64.random(in: 0..<60, using: &random)
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5: subject.store(key, cost: [0, 1, 7, 60, 101, 400, 1_000].randomElement(using: &random) ?? 0)
                case 5..<8: subject.hit(key)
                case 8: subject.remove(key, isExpired: Bool.random(using: &random))
                default: if Bool.random(using: &random) { subject.expired.formSymmetricDifference([key]) }
                }
                subject.policy.validate()
                #expect(subject.policy.bytes <= 1_000 && subject.policy.count == subject.slots.count, "seed \(seed)")
            }
        }
        for seed in 1...3 as ClosedRange<UInt64> { run(type, seed: seed) }
    }

    @Test(arguments: policies) func `An entry of exactly the capacity is stored alone, and a larger one is not stored`(
        _ type: any EvictionPolicy.Type
    ) {
        func run<Policy: EvictionPolicy>(_ type: Policy.Type) {
            var subject = Subject<Policy>(100)
            for key in 1...10 as ClosedRange<UInt64> { subject.store(key, cost: 10) }
            subject.store(11, cost: 100)
            #expect(Array(subject.slots.keys) == [11] && subject.policy.bytes == 100)
            subject.store(12, cost: 101)
            #expect(Array(subject.slots.keys) == [11])
            // A larger value takes the place of an older one, which is outdated, by removing it.
            subject.store(11, cost: 101)
            #expect(subject.slots.isEmpty && subject.policy.bytes == 0)
        }
        run(type)
    }

    @Test(arguments: policies) func `A small entry that becomes a huge one evicts others in the same call`(
        _ type: any EvictionPolicy.Type
    ) {
        func run<Policy: EvictionPolicy>(_ type: Policy.Type) {
            var subject = Subject<Policy>(100)
            for key in 1...10 as ClosedRange<UInt64> { subject.store(key, cost: 10) }
            for _ in 0..<3 { subject.hit(10) }
            subject.store(10, cost: 95)
            subject.policy.validate()
            #expect(subject.policy.bytes <= 100)
        }
        run(type)
    }

    @Test(arguments: policies) func `Entries without a cost are stored, and do not keep others from being evicted`(
        _ type: any EvictionPolicy.Type
    ) {
        func run<Policy: EvictionPolicy>(_ type: Policy.Type) {
            var subject = Subject<Policy>(100)
            for key in 0..<50 as Range<UInt64> { subject.store(key, cost: 0) }
            for key in 50..<80 as Range<UInt64> { subject.store(key, cost: 10) }
            subject.policy.validate()
            #expect(subject.policy.bytes <= 100 && subject.slots[79] != nil)
        }
        run(type)
    }

    @Test(arguments: policies.dropLast())
    func `An expired entry is evicted when its turn comes, however often it was used`(
        _ type: any EvictionPolicy.Type
    ) {
        func run<Policy: EvictionPolicy>(_ type: Policy.Type) {
            var subject = Subject<Policy>(100)
            subject.store(1, cost: 10)
            for key in 2...10 as ClosedRange<UInt64> { subject.store(key, cost: 10) }
            for _ in 0..<3 { subject.hit(1) }
            subject.expired = [1]
            expect(subject.evict(), is: 1)
            // Its key is likely to be asked for again.
            expect(subject.store(1, cost: 10), is: true)
        }
        run(type)
    }

    @Test(arguments: policies.dropLast())
    func `The hash of an entry that expired is remembered, and that of a removed one is not`(
        _ type: any EvictionPolicy.Type
    ) {
        func run<Policy: EvictionPolicy>(_ type: Policy.Type) {
            var subject = Subject<Policy>(100)
            for key in 1...10 as ClosedRange<UInt64> { subject.store(key, cost: 10) }
            subject.remove(3, isExpired: true)
            subject.remove(4)
            expect(subject.store(3, cost: 10), is: true)
            expect(subject.store(4, cost: 10), is: false)
        }
        run(type)
    }

    @Test(arguments: policies) func `One eviction examines a limited number of used entries`(
        _ type: any EvictionPolicy.Type
    ) {
        func run<Policy: EvictionPolicy>(_ type: Policy.Type) {
            var subject = Subject<Policy>(1_000)
            for key in 0..<1_000 as Range<UInt64> { subject.store(key, cost: 1) }
            for key in 0..<1_000 as Range<UInt64> { for _ in 0..<3 { subject.hit(key) } }
            var examined = 0
            _ = subject.policy.evict { _ in
                examined += 1
                return false
            }
            #expect(examined <= evictionScanLimit + 1)
        }
        run(type)
    }

    @Test func `Hashes of evicted entries stay bounded while keys that are used twice come and go`() {
        var subject = Subject<S3FIFOPolicy>(1_024)
        for key in 0..<200_000 as Range<UInt64> {
            subject.store(key, cost: 1)
            // All entries move on to the main queue, which evicts them without remembering their hashes.
            subject.hit(key)
            subject.hit(key)
            // One hash that stays in the ring must not keep others in it.
            if key % 1_000 == 0 { subject.remove(key, isExpired: true) }
            if key % 7 == 0, key > 20 { subject.store(key - 20, cost: 1) }
        }
        subject.policy.validate()
        #expect(subject.policy.ghostCount <= subject.slots.count * 9 / 10)
        #expect(subject.policy.ghostBytes <= 24 * 1_024)
    }

    @Test func `An entry that the small queue evicted enters the main queue when it is stored again`() {
        var subject = Subject<S3FIFOPolicy>(100)
        for key in 0..<11 as Range<UInt64> { subject.store(key, cost: 10) }
        #expect(subject.slots[0] == nil)
        expect(subject.store(0, cost: 10), is: true)
        // A scan of new keys does not displace it.
        for key in 100..<200 as Range<UInt64> { subject.store(key, cost: 10) }
        #expect(subject.slots[0] != nil)
    }

    @Test func `An entry that is promoted has to be used again to stay`() {
        var subject = Subject<S3FIFOPolicy>(100)
        for key in 0..<10 as Range<UInt64> { subject.store(key, cost: 10) }
        for _ in 0..<2 { for key in 0..<10 as Range<UInt64> { subject.hit(key) } }
        // All move to the main queue in one call, which then evicts the oldest: none has been used there.
        expect(subject.evict(), is: 0)
        expect(subject.store(0, cost: 10), is: false)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `Remembered hashes agree with a list`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var ghosts = GhostQueue()
        var model: [UInt64] = []
        for step in 0..<8_000 {
            let hash = UInt64.random(in: 0..<400, using: &random) &* 0x1_0000_0001 &+ 1
            let limit = step < 4_000 ? 100 : Int.random(in: 0...150, using: &random)
            if Int.random(in: 0..<3, using: &random) > 0 {
                ghosts.insert(hash, limit: limit)
                model.removeFirst(max(0, model.count - max(0, limit - 1)))
                if !model.contains(hash), limit > 0 { model.append(hash) }
            } else {
                let wasThere = ghosts.take(hash)
                #expect(wasThere == model.contains(hash), "seed \(seed)")
                model.removeAll { $0 == hash }
            }
            ghosts.validate()
            #expect(ghosts.count == model.count, "seed \(seed)")
        }
        #expect(ghosts.allocatedBytes < 8_192)
    }
}
