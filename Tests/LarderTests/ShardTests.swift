import HTTPCaching
import HTTPTypes
import LarderTestSupport
import Testing

@testable import Larder

/// The eviction and expiry of entries in a part of the memory store, and their order.
@Suite(.timeLimit(.minutes(5))) struct ShardTests {
    private static let epoch = LogVersion.Epoch(high: 1, low: 1)
    private let start = Timestamp(secondsSinceEpoch: 1_800_000_000)

    private func entry(
        _ name: String,
        bytes: Int = 1_000,
        freshFor: Duration = .seconds(600),
        version: UInt64 = 0,
        language: String? = nil
    ) -> CacheEntry {
        .sample(
            String(repeating: "x", count: bytes),
            at: EntryLocation(key: CacheKey(legal: "GET:/" + name), target: "/" + name),
            readVersion: LogVersion(epoch: Self.epoch, number: version),
            now: start,
            freshFor: freshFor,
            request: language.map { [.acceptLanguage: $0] } ?? [:],
            language == nil ? [:] : [.vary: "Accept-Language"]
        )
    }

    /// A shard whose calls need no list of removed entries.
    private final class Box {
        private var shard: MemoryShard
        private var removed: [CacheEntry] = []

        init(limit: Int, variantLimit: Int = 8) { shard = MemoryShard(limit: limit, variantLimit: variantLimit) }

        var bytes: Int { shard.bytes }
        /// The bytes that the entries take, without those of the heads that they share.
        var entryBytes: Int { shard.policy.bytes }
        var count: Int { shard.count }

        func save(_ entry: CacheEntry, at now: Timestamp, number: UInt64 = 0) {
            shard.save(entry, at: now, number: number, dropping: &removed)
            shard.validate()
        }

        /// Returns the variants of a key; `isValid` is called in place of the comparison with the log, at version
        /// `number`.
        func find(
            _ name: String,
            at now: Timestamp,
            number: UInt64 = 0,
            isValid: (MemoryShard.ComparedEntry) -> Bool = { _ in true }
        ) -> [CacheEntry] {
            defer { shard.validate() }
            let key = CacheKey(legal: "GET:/" + name)
            let said = LogVersion(epoch: ShardTests.epoch, number: number)
            return shard.load(
                key,
                at: now,
                number: number,
                isValid: { Validity(isValid: isValid($0), checkedVersion: said) },
                dropping: &removed
            ) ?? []
        }

        func has(_ name: String, at now: Timestamp) -> Bool { !find(name, at: now).isEmpty }

        func removeExpired(at now: Timestamp, limit: Int) -> Int {
            defer { shard.validate() }
            return shard.removeExpired(at: now, limit: limit, dropping: &removed)
        }

        func count(at now: Timestamp) -> Int { shard.count(at: now) }

        func removeEntries(readBefore number: UInt64, limit: Int = 256) -> MemoryShard.Progress {
            defer { shard.validate() }
            return shard.removeEntries(readBefore: number, limit: limit, dropping: &removed)
        }
    }

    /// Returns the bytes that an entry takes of the limit of a shard that is too small to pack any.
    private func cost(of entry: CacheEntry) -> Int { entry.cost }

    @Test func `A full shard removes expired entries before any that could still be used`() {
        let cost = cost(of: entry("0"))
        let shard = Box(limit: 45 * cost)
        // This entry was stored first, and would be evicted first.
        shard.save(entry("fresh"), at: start)
        for id in 10..<50 { shard.save(entry("\(id)", freshFor: .seconds(10)), at: start) }
        #expect(shard.count == 41)
        let now = start.advanced(by: .seconds(10))
        // There are more expired entries than one call removes without need.
        shard.save(entry("large", bytes: 40 * cost), at: now)
        #expect(shard.has("fresh", at: now) && shard.has("large", at: now))
        #expect(shard.bytes <= 45 * cost)
    }

    @Test func `A shard that is full of usable entries evicts the oldest one that was not used twice`() {
        let cost = cost(of: entry("0"))
        let shard = Box(limit: 4 * cost)
        for id in 0..<4 { shard.save(entry("\(id)"), at: start) }
        #expect(shard.count == 4 && shard.entryBytes == 4 * cost)
        for _ in 0..<2 { shard.find("0", at: start).first?.noteUse() }
        shard.save(entry("4"), at: start)
        #expect((0..<5).map { shard.has("\($0)", at: start) } == [true, false, true, true, true])
        #expect(shard.entryBytes == 4 * cost)
    }

    @Test func `An entry that takes exactly the limit is stored, and replaces all others`() {
        let large = entry("large", bytes: 50_000)
        let shard = Box(limit: cost(of: large))
        shard.save(entry("0"), at: start)
        shard.save(large, at: start)
        #expect(shard.has("large", at: start) && !shard.has("0", at: start))
    }

    @Test func `Expired entries are removed up to the limit of one call, and an entry that ends now is expired`() {
        let shard = Box(limit: 1 << 20)
        for id in 0..<5 { shard.save(entry("\(id)", freshFor: .seconds(10 + id)), at: start) }
        #expect(shard.removeExpired(at: start.advanced(by: .seconds(10) - .nanoseconds(1)), limit: 9) == 0)
        #expect(shard.removeExpired(at: start.advanced(by: .seconds(10)), limit: 9) == 1)
        #expect(shard.count(at: start.advanced(by: .seconds(13))) == 1)
        #expect(shard.removeExpired(at: start.advanced(by: .seconds(14)), limit: 3) == 3)
        #expect(shard.count == 1 && shard.has("4", at: start))
    }

    @Test func `A variant beyond the limit replaces the least recently used one`() {
        let shard = Box(limit: 1 << 20, variantLimit: 3)
        let entries = ["en", "de", "fr"].map { entry("v", language: $0) }
        for entry in entries { shard.save(entry, at: start) }
        #expect(shard.find("v", at: start).count == 3)
        entries[0].markUsed()
        shard.save(entry("v", language: "it"), at: start)
        let left = shard.find("v", at: start).map(\.selectingFields.text)
        #expect(left == ["accept-language:it", "accept-language:fr", "accept-language:en"])
    }

    @Test func `Every variant is compared with the log once for each of its versions`() {
        let shard = Box(limit: 1 << 20)
        shard.save(entry("v", language: "en"), at: start, number: 3)
        shard.save(entry("v", version: 2, language: "de"), at: start, number: 5)
        var asked = 0
        func find(_ number: UInt64) -> Int {
            asked = 0
            return shard.find("v", at: start, number: number) { entry in
                asked += 1
                return entry.readVersion.number == 2
            }.count
        }
        // The second variant is known to be valid at version 5, and the first at version 3 alone.
        #expect(find(3) == 2 && asked == 0)
        #expect(find(4) == 1 && asked == 2)
        #expect(find(4) == 1 && asked == 0)
        #expect(find(5) == 1 && asked == 1)
    }

    @Test func `Entries with a lower read version than the given one are removed, and others stay`() {
        let shard = Box(limit: 1 << 20)
        for version in 0..<6 { shard.save(entry("\(version)", version: UInt64(version)), at: start) }
        #expect(shard.removeEntries(readBefore: 0) == MemoryShard.Progress(compared: 0, isComplete: true))
        #expect(shard.removeEntries(readBefore: 3) == MemoryShard.Progress(compared: 6, isComplete: true))
        #expect((0..<6).map { shard.has("\($0)", at: start) } == [false, false, false, true, true, true])
        // No older entries are left.
        #expect(shard.removeEntries(readBefore: 3).compared == 0)
        #expect(shard.removeEntries(readBefore: 5, limit: 2) == MemoryShard.Progress(compared: 2, isComplete: false))
    }

    @Test func `A store accepts an entry of exactly its limit, and none that is one byte larger`() async {
        let clock = ManualClock()
        let entry = entry("a", bytes: 1_000)
        for (limit, isStored) in [(entry.cost, true), (entry.cost - 1, false)] {
            let store = MemoryStore(limit: .mebibytes(1), entryLimit: .bytes(limit), shardCount: 1)
            let location = entry.location
            let readVersion = await store.load(location, at: clock.now).readVersion
            let text = String(repeating: "x", count: 1_000)
            let own = CacheEntry.sample(text, at: location, readVersion: readVersion, now: clock.now)
            #expect(own.cost == entry.cost)
            _ = await store.save(own, at: clock.now)
            #expect(await store.count(at: clock.now) == (isStored ? 1 : 0))
        }
    }

    @Test func `Equal counts of top keys are ordered by name, and higher counts come first`() {
        let keys = TopKeys(guaranteed: 100)
        let names = (0..<40).map { CacheKey(legal: "GET:/\($0)") }
        for name in names.shuffled() { keys.count(name) }
        for name in names[7...8].reversed() { keys.count(name) }
        let top = keys.top(.max)
        let rest = names.filter { !names[7...8].contains($0) }.map(\.description).sorted()
        #expect(top.map(\.key.description) == ["GET:/7", "GET:/8"] + rest)
        #expect(top.map(\.count) == [2, 2] + rest.map { _ in 1 })
        #expect(keys.top(3).map(\.key.description) == ["GET:/7", "GET:/8", "GET:/0"])
        #expect(keys.top(0).isEmpty && keys.top(-1).isEmpty)
    }
}
