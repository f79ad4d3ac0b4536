import HTTPCaching
import LarderTestSupport
import Testing

@testable import Larder

/// The tables of a shard against naive models, by seeded random operations.
@Suite(.timeLimit(.minutes(5))) struct ShardTableTests {
    @Test(arguments: [1, 2, 3] as [UInt64]) func `Chains of scopes agree with a list of members`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let scopes = (0..<6).map { InvalidationScope.tag(CacheTag("t\($0)")).fingerprint }
        var index = ScopeIndex()
        /// The members in the order in which they were added.
        var model: [(slot: Int, run: ScopeIndex.Run, scopes: [InvalidationScope.Fingerprint])] = []
        for step in 0..<3_000 {
            let slot = Int.random(in: 0..<30, using: &random)
            if let place = model.firstIndex(where: { $0.slot == slot }), Bool.random(using: &random) {
                index.remove(model[place].run, links: model[place].scopes.count)
                model.remove(at: place)
            } else if model.count < 40 {
                // The same scope may be named twice, and a slot may have several entries.
                let own = (0..<Int.random(in: 0...(step < 1_500 ? 4 : 11), using: &random)).compactMap { _ in
                    scopes.randomElement(using: &random)
                }
                model.append((slot, index.add(slot, scopes: own), own))
            }
            // Moves a group now and then, as if there were too many free ones.
            if step % 3 == 0, let slot = index.shrink() {
                for place in model.indices where model[place].slot == slot {
                    if let run = index.moveLastGroup(of: model[place].run) {
                        model[place].run = run
                        break
                    }
                }
            }
            index.validate()
            #expect(index.count == model.reduce(0) { $0 + $1.scopes.count }, "seed \(seed)")
            for scope in scopes {
                let members = model.flatMap { member in member.scopes.filter { $0 == scope }.map { _ in member } }
                let oldest = index.oldest(of: scope)
                #expect(oldest?.slot == members.first?.slot, "seed \(seed)")
                let entries = index.entries(of: scope, upTo: 5)
                #expect(entries.map(\.slot) == members.prefix(5).map(\.slot), "seed \(seed)")
                #expect(zip(entries, members).allSatisfy { index.contains($0.link, in: $1.run) }, "seed \(seed)")
            }
            for member in model {
                #expect(index.scopes(of: member.run, links: member.scopes.count) == member.scopes, "seed \(seed)")
            }
        }
    }

    @Test func `Links of entries with other numbers of scopes use the same memory, and it is given back`() {
        var random = SeededRandom(seed: 9)
        var index = ScopeIndex()
        var entries: [(run: ScopeIndex.Run, links: Int)] = []
        func scope(_ number: Int) -> InvalidationScope.Fingerprint { .init(.path, hash: number << 2) }
        // The number of tags changes with each thousand of entries, and the newest thousand stay.
        for step in 0..<40_000 {
            let links = [1, 30, 3, 7, 16][step / 1_000 % 5]
            let own = (0..<links).map { _ in scope(Int.random(in: 0..<5_000, using: &random)) }
            entries.append((index.add(step % 1_000, scopes: own), links))
            if entries.count > 1_000 {
                let old = entries.removeFirst()
                index.remove(old.run, links: old.links)
            }
            // A thousand entries with thirty links take 400,000 bytes.
            #expect(index.unusedBytes <= 450_000)
        }
        index.validate()
        for entry in entries.dropFirst(10) { index.remove(entry.run, links: entry.links) }
        entries.removeSubrange(10...)
        while index.isSparse {
            guard index.shrink() != nil else { continue }
            let moved = entries.indices.contains { place in
                guard let run = index.moveLastGroup(of: entries[place].run) else { return false }
                entries[place].run = run
                return true
            }
            #expect(moved)
        }
        index.validate()
        #expect(index.unusedBytes < 10_000)
    }

    @Test(arguments: [4, 5] as [UInt64]) func `An index of keys finds what a list finds, among equal hashes too`(
        _ seed: UInt64
    ) {
        var random = SeededRandom(seed: seed)
        var hashes: [UInt64] = []
        var index = HashIndex()
        var model: Set<Int> = []
        for slot in 0..<200 {
            // Few different hashes, whose places are at the end of the table and at its beginning.
            hashes.append([3, 0xFFFF_FFFF, 0xFFFF_FFF8, UInt64(slot), 1 << 40].randomElement(using: &random) ?? 0)
        }
        for _ in 0..<4_000 {
            let slot = Int.random(in: 0..<200, using: &random)
            if model.contains(slot) {
                index.remove(slot) { hashes[$0] }
                model.remove(slot)
            } else {
                index.insert(slot) { hashes[$0] }
                model.insert(slot)
            }
            index.validate { hashes[$0] }
            #expect(index.count == model.count, "seed \(seed)")
            let wanted = Int.random(in: 0..<200, using: &random)
            let found = index.first(of: hashes[wanted]) { $0 == wanted }
            #expect(found == (model.contains(wanted) ? wanted : nil), "seed \(seed)")
        }
    }

    @Test(arguments: [6, 7, 8] as [UInt64]) func `A wheel returns each slot once it has expired, and never before`(
        _ seed: UInt64
    ) {
        var random = SeededRandom(seed: seed)
        var wheel = ExpiryWheel()
        var model: [Int: Timestamp] = [:]
        var now = Timestamp(secondsSinceEpoch: 1_800_000_000)
        for _ in 0..<4_000 {
            let slot = Int.random(in: 0..<60, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0..<3:
                let life = [1, 900, 5_000, 3_000_000, 40_000_000].randomElement(using: &random) ?? 1
                let time = now.advanced(by: .milliseconds(Int.random(in: 0...life, using: &random)))
                model[slot] = life == 40_000_000 ? .distantFuture : time
                wheel.set(slot, to: model[slot] ?? time, at: now)
            case 3:
                wheel.remove(slot)
                model[slot] = nil
            default:
                let span = [10, 1_500, 100_000, 5_000_000].randomElement(using: &random) ?? 0
                now = now.advanced(by: .milliseconds(Int.random(in: 0...span, using: &random)))
                var budget = Int.random(in: 1...100, using: &random)
                while let expired = wheel.nextExpired(at: now, budget: &budget) {
                    #expect(model[expired].map { $0 <= now } == true, "seed \(seed)")
                    wheel.remove(expired)
                    model[expired] = nil
                }
                // Within a second and a half all that has expired is found.
                let earlier = now.advanced(by: .milliseconds(-2_500))
                if budget > 0 { #expect(!model.values.contains { $0 <= earlier }, "seed \(seed)") }
            }
            wheel.validate()
            #expect(wheel.count == model.count, "seed \(seed)")
            let expired = model.values.count { $0 <= now }
            let counted = wheel.count(at: now, limit: .max) { model[$0].map { $0 <= now } ?? false }
            #expect(counted == expired, "seed \(seed)")
        }
    }

    @Test func `The number of expired slots is counted up to a limit`() {
        var wheel = ExpiryWheel()
        let now = Timestamp(secondsSinceEpoch: 1_800_000_000)
        for slot in 0..<100 { wheel.set(slot, to: now.advanced(by: .seconds(slot)), at: now) }
        let later = now.advanced(by: .seconds(50))
        #expect(wheel.count(at: later, limit: 20) { $0 <= 50 } == 20)
        #expect(wheel.count(at: later, limit: 4_096) { $0 <= 50 } == 51)
    }
}
