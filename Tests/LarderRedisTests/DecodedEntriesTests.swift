import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import Larder
@testable import LarderRedis

/// The entries that are not decoded again.
@Suite(.timeLimit(.minutes(5))) struct DecodedEntriesTests {
    private static func entry(_ id: Int, bytes: Int = 10) -> (id: VariantID, value: ByteBuffer, entry: CacheEntry) {
        let key = CacheKey("GET:/\(id)") ?? .example
        let entry = CacheEntry.sample(
            String(repeating: "x", count: bytes),
            at: EntryLocation(key: key, target: "/\(id)"),
            readVersion: LogVersion(epoch: LogVersion.Epoch(high: 1, low: 1), number: 0),
            now: ManualClock().now
        )
        return (VariantID(key: key, field: "v:"), EntryCodec.encode(entry), entry)
    }

    @Test func `An entry is remembered with the value and the mark that it was decoded for`() {
        var decoded = DecodedEntries()
        let (one, other, mark) = (Self.entry(1), Self.entry(1, bytes: 11), UseMark())
        #expect(decoded[one.id] == nil)
        decoded.add(one, mark)
        #expect(decoded[one.id]?.entry === one.entry && decoded[one.id]?.value == one.value)
        #expect(decoded[one.id]?.mark === mark)
        #expect(decoded[VariantID(key: one.id.key, field: "v:x")] == nil)
        decoded.add(other, nil)
        #expect(decoded[one.id]?.entry === other.entry && decoded[one.id]?.mark == nil && decoded.count == 1)
        decoded.validate()
    }

    @Test(arguments: 1...20) func `A memo is a dictionary that forgets its oldest variants`(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var decoded = DecodedEntries(limit: 30_000)
        var model: [(id: VariantID, entry: CacheEntry, cost: Int)] = []
        for step in 0..<500 {
            let sample = Self.entry(.random(in: 0..<20, using: &random), bytes: .random(in: 0..<3_000, using: &random))
            let dropped = decoded.add(sample, nil)
            let cost =
                DecodedEntries.Known(Self.entry(0).entry, of: sample.value, nil, at: sample.entry.location, [])
                .cost - Self.entry(0).entry.cost + sample.entry.cost
            var expected: [CacheEntry] = []
            if let place = model.firstIndex(where: { $0.id == sample.id }) {
                expected.append(model[place].entry)
                model[place] = (sample.id, sample.entry, cost)
            } else {
                model.append((sample.id, sample.entry, cost))
            }
            while model.reduce(0, { $0 + $1.cost }) > 30_000 { expected.append(model.removeFirst().entry) }
            decoded.validate()
            #expect(dropped.map { ObjectIdentifier($0.entry) } == expected.map { ObjectIdentifier($0) }, "step \(step)")
            #expect(decoded.count == model.count && decoded.cost == model.reduce(0) { $0 + $1.cost })
            for known in model { #expect(decoded[known.id]?.entry === known.entry, "step \(step)") }
        }
    }

    @Test func `The scopes of a location are found if its target and its tags are the same`() {
        var decoded = DecodedEntries()
        let one = Self.entry(1)
        decoded.add(one, nil, ["*", "k1"])
        let location = one.entry.location
        #expect(decoded.members(of: location, storedAs: one.id) == ["*", "k1"])
        let others = [
            EntryLocation(key: location.key, target: "/2", tags: location.tags),
            EntryLocation(key: location.key, target: location.target, tags: ["posts"]),
        ]
        for other in others { #expect(decoded.members(of: other, storedAs: one.id) == nil) }
    }

    @Test func `A response that is remembered is invalidated by the tags of each location that asks for it`()
        async throws
    {
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis) { stores in
                let (store, now) = (stores[0], WallClock.system.now)
                func location(_ tag: CacheTag) -> EntryLocation {
                    EntryLocation(key: .example, target: "/a", tags: [tag])
                }
                func finds(_ tag: CacheTag) async -> Bool { await !store.load(location(tag), at: now).entries.isEmpty }
                let version = await store.load(location("stored"), at: now).readVersion
                let entry = CacheEntry.sample("x", at: location("stored"), readVersion: version, now: now)
                #expect(await store.save(entry, at: now).isValid)
                for _ in 0..<2 {
                    for tag in ["stored", "one", "two"] as [CacheTag] { #expect(await finds(tag)) }
                }
                await store.invalidate([.tag("two")])
                for _ in 0..<2 {
                    #expect(await finds("one"))
                    #expect(await !finds("two"))
                }
                await store.invalidate([.tag("stored")])
                for tag in ["stored", "one", "two"] as [CacheTag] { #expect(await !finds(tag)) }
                store.memo.withLockedValue { $0.decoded.validate() }
            }
        }
    }

    @Test func `The first use of an entry needs room in the budget, as without the memo`() throws {
        var decoded = DecodedEntries(limit: 100_000)
        let budget = InFlightBudget(limit: .kibibytes(64))
        var served: [CacheEntry] = []
        for id in 0..<100 {
            let sample = Self.entry(id, bytes: 10_000)
            let entry = try EntryCodec.decode(sample.value, expecting: sample.id.key)
            decoded.add((sample.id, sample.value, entry), nil)
            if entry.take(from: budget) { served.append(entry) }
            #expect(budget.used <= budget.limit + decoded.limit)
        }
        // Those that took the budget, and those that were remembered when the last one of them was refused.
        #expect((6..<14).contains(served.count))
        withExtendedLifetime(served) {}
    }

    @Test func `Entries take a bounded number of bytes, and are charged while they are remembered`() {
        var decoded = DecodedEntries(limit: 20_000)
        let budget = InFlightBudget(limit: .mebibytes(1))
        let first = Self.entry(0)
        first.entry.charge(to: budget)
        for id in 0..<100 {
            let (variant, value, entry) = id == 0 ? first : Self.entry(id, bytes: 100 * (id % 7))
            decoded.add((variant, value, entry), nil)
            decoded.validate()
            #expect(first.entry.isInFlight == (decoded[first.id] == nil))
        }
        #expect(first.entry.isInFlight && budget.used == first.entry.cost)
        #expect((5..<20).contains(decoded.count) && decoded.cost <= 20_000)
        let large = Self.entry(1_000, bytes: 30_000)
        decoded.add(large, nil)
        #expect(decoded.count == 0 && decoded.cost == 0)
    }
}

extension DecodedEntries {
    @discardableResult
    fileprivate mutating func add(
        _ sample: (id: VariantID, value: ByteBuffer, entry: CacheEntry),
        _ mark: UseMark?,
        _ members: [String] = []
    ) -> [Known] {
        remember(Known(sample.entry, of: sample.value, mark, at: sample.entry.location, members), as: sample.id)
    }
}
