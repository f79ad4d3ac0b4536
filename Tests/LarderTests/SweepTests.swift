import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// The removal of invalidated entries, and the amount of it that one hold of a lock does.
@Suite(.timeLimit(.minutes(5))) struct SweepTests {
    private static let clock = ManualClock()
    private static let epoch = LogVersion.Epoch.new()

    private static func entry(
        _ path: String,
        readVersion number: UInt64 = 0,
        tags: [CacheTag] = [],
        language: String? = nil
    ) -> CacheEntry {
        .sample(
            "x",
            at: EntryLocation(key: CacheKey(legal: "GET:\(path)"), target: path),
            readVersion: LogVersion(epoch: epoch, number: number),
            now: clock.now,
            tags: tags,
            request: language.map { [.acceptLanguage: $0] } ?? [:],
            language == nil ? [:] : [.vary: "Accept-Language"]
        )
    }

    /// Returns a shard with `count` entries below `/a`, and as many below `/b`.
    private static func shard(_ count: Int) -> MemoryShard {
        var shard = MemoryShard(limit: .max, variantLimit: 8)
        var dropped: [CacheEntry] = []
        for id in 0..<count {
            for path in ["/a/\(id)", "/b/\(id)"] {
                shard.save(entry(path, tags: ["t"]), at: clock.now, number: 0, dropping: &dropped)
            }
        }
        return shard
    }

    /// Finds every entry invalid.
    private static func invalid(_ entry: MemoryShard.ComparedEntry) -> Validity {
        Validity(isValid: false, checkedVersion: LogVersion(epoch: epoch, number: 1))
    }

    @Test func `One hold of a lock compares no more entries than the limit`() {
        var shard = Self.shard(1_000)
        var (calls, compared) = (0, 0)
        var isComplete = false
        while !isComplete {
            var (dropped, asked): ([CacheEntry], Int) = ([], 0)
            let progress = shard.removeInvalidated(
                InvalidationScope.prefix("/a").fingerprint,
                isValid: { entry in
                    asked += 1
                    return Self.invalid(entry)
                },
                dropping: &dropped
            )
            #expect(asked <= MemoryShard.batchLimit && asked == progress.compared)
            #expect(dropped.count <= MemoryShard.batchLimit)
            shard.validate()
            (calls, compared, isComplete) = (calls + 1, compared + asked, progress.isComplete)
        }
        // The entries of the other paths were not examined.
        #expect(compared == 1_000 && calls == 1_000 / MemoryShard.batchLimit + 1)
        #expect(shard.count == 1_000)
    }

    @Test func `An invalidation of a scope without entries compares nothing`() {
        var shard = Self.shard(1_000)
        var dropped: [CacheEntry] = []
        for scope in [InvalidationScope.path("/a"), .path("/c/1"), .prefix("/c"), .tag("other")] {
            let progress = shard.removeInvalidated(
                scope.fingerprint,
                isValid: { entry in
                    Issue.record("An entry is compared with \(scope)")
                    return Self.invalid(entry)
                },
                dropping: &dropped
            )
            #expect(progress == MemoryShard.Progress(compared: 0, isComplete: true))
        }
        #expect(dropped.isEmpty && shard.count == 2_000)
    }

    @Test func `An entry that was stored after an invalidation ends the search for invalid ones`() {
        var shard = MemoryShard(limit: .max, variantLimit: 8)
        var dropped: [CacheEntry] = []
        for id in 0..<3 { shard.save(Self.entry("/a/\(id)"), at: Self.clock.now, number: 0, dropping: &dropped) }
        for id in 3..<100 {
            shard.save(Self.entry("/a/\(id)", readVersion: 1), at: Self.clock.now, number: 1, dropping: &dropped)
        }
        let progress = shard.removeInvalidated(
            InvalidationScope.prefix("/a").fingerprint,
            isValid: {
                Validity(isValid: $0.readVersion.number >= 1, checkedVersion: LogVersion(epoch: Self.epoch, number: 1))
            },
            dropping: &dropped
        )
        #expect(progress == MemoryShard.Progress(compared: 4, isComplete: true))
        #expect(shard.count == 97)
        shard.validate()
    }

    @Test func `The removal of entries below a version continues where it stopped`() {
        var shard = Self.shard(1_000)
        var dropped: [CacheEntry] = []
        for id in 0..<500 {
            shard.save(Self.entry("/new/\(id)", readVersion: 7), at: Self.clock.now, number: 7, dropping: &dropped)
        }
        var calls = 1
        while !shard.removeEntries(readBefore: 7, dropping: &dropped).isComplete {
            calls += 1
            shard.validate()
        }
        #expect(shard.count == 500)
        #expect(calls == (2_500 + MemoryShard.batchLimit - 1) / MemoryShard.batchLimit)
        #expect(shard.removeEntries(readBefore: 7, dropping: &dropped).compared == 0)
    }

    @Test func `A tag of one variant leaves the others`() {
        var shard = MemoryShard(limit: .max, variantLimit: 8)
        var dropped: [CacheEntry] = []
        for (language, tag) in [("en", "one"), ("de", "two"), ("fr", "two")] as [(String, CacheTag)] {
            let entry = Self.entry("/a", tags: [tag], language: language)
            shard.save(entry, at: Self.clock.now, number: 0, dropping: &dropped)
        }
        _ = shard.removeInvalidated(InvalidationScope.tag("two").fingerprint, isValid: Self.invalid, dropping: &dropped)
        shard.validate()
        #expect(shard.count == 1 && dropped.count >= 2)
        _ = shard.removeInvalidated(InvalidationScope.tag("one").fingerprint, isValid: Self.invalid, dropping: &dropped)
        shard.validate()
        #expect(shard.count == 0 && shard.bytes == 0)
    }

    private func store(_ count: Int, shards: Int, _ clock: ManualClock) async -> MemoryStore {
        let store = MemoryStore(limit: .gibibytes(1), shardCount: shards, versionLimit: 100, clock: clock.clock)
        for id in 0..<count {
            let path = "/a/\(id % 10)/\(id)"
            let location = EntryLocation(key: CacheKey(legal: "GET:\(path)"), target: path)
            let readVersion = await store.load(location, at: clock.now).readVersion
            _ = await store.save(
                .sample("x", at: location, readVersion: readVersion, now: clock.now, tags: ["t"]),
                at: clock.now
            )
        }
        return store
    }

    @Test(arguments: [InvalidationScope.prefix("/a"), .prefix("/"), .tag("t"), .everything], [1, 4, 600])
    func `The entries of a large invalidation are removed in the background, and never found`(
        _ scope: InvalidationScope,
        _ shards: Int
    ) async {
        let clock = ManualClock()
        let store = await store(3_000, shards: shards, clock)
        #expect(await store.count(at: clock.now) == 3_000)
        await store.invalidate([scope])
        let location = EntryLocation(key: CacheKey(legal: "GET:/a/9/2999"), target: "/a/9/2999")
        #expect(await store.load(location, at: clock.now).entries.isEmpty)
        await store.idle()
        store.validate()
        #expect(await store.count(at: clock.now) == 0)
        #expect(store.size == .bytes(0))
    }

    @Test func `An invalidation of all paths leaves values, and removes the entry of the path itself`() async {
        let clock = ManualClock()
        let store = await store(600, shards: 2, clock)
        let locations = [
            EntryLocation(value: "v", parts: [1], tags: []),
            EntryLocation(key: CacheKey(legal: "GET:/"), target: "/"),
        ]
        func save(_ location: EntryLocation) async {
            let readVersion = await store.load(location, at: clock.now).readVersion
            _ = await store.save(.sample("1", at: location, readVersion: readVersion, now: clock.now), at: clock.now)
        }
        for location in locations { await save(location) }
        await store.invalidate([.prefix("/")])
        await save(EntryLocation(key: CacheKey(legal: "GET:/new"), target: "/new"))
        // One more invalidation while the first one may be unfinished.
        await store.invalidate([.prefix("/")])
        await store.idle()
        store.validate()
        #expect(await store.count(at: clock.now) == 1)
        #expect(await store.load(locations[0], at: clock.now).entries.count == 1)
    }

    @Test(arguments: [InvalidationScope.key(CacheKey(legal: "GET:/a")), .path("/a"), .tag("t")])
    func `The removal of a key with more variants than one call compares is completed`(
        _ scope: InvalidationScope
    ) async {
        let count = MemoryShard.batchLimit + 50
        let store = MemoryStore(limit: .mebibytes(64), shardCount: 2, versionLimit: 100, variantLimit: count)
        let location = EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a")
        let readVersion = await store.load(location, at: Self.clock.now).readVersion
        for id in 0..<count {
            let entry = CacheEntry.sample(
                "x",
                at: location,
                readVersion: readVersion,
                now: Self.clock.now,
                tags: ["t"],
                request: [.acceptLanguage: "\(id)"],
                [.vary: "Accept-Language"]
            )
            _ = await store.save(entry, at: Self.clock.now)
        }
        #expect(store.find(location, at: Self.clock.now)?.count == count)
        await store.invalidate([scope])
        #expect(await store.count(at: Self.clock.now) == 0)
        await store.idle()
        store.validate()
        #expect(store.size == .bytes(0))
    }

    @Test func `The entries of a small invalidation are not counted once it returns`() async {
        let clock = ManualClock()
        let store = await store(2_000, shards: 4, clock)
        await store.invalidate([.path("/a/1/1")])
        #expect(await store.count(at: clock.now) == 1_999)
        await store.invalidate([.prefix("/a/2")])
        #expect(await store.count(at: clock.now) == 1_799)
        await store.invalidate([.key(CacheKey(legal: "GET:/a/3/3")), .path("/a/4/4")])
        #expect(await store.count(at: clock.now) == 1_797)
    }

    @Test func `A count removes nothing, and leaves out expired entries`() async {
        let clock = ManualClock()
        let store = await store(500, shards: 2, clock)
        let size = store.size
        clock.advance(by: .seconds(60))
        #expect(await store.count(at: clock.now) == 0)
        #expect(store.size == size)
    }

    @Test func `Many concurrent invalidations are all removed in the end`() async {
        let clock = ManualClock()
        let store = await store(5_000, shards: 4, clock)
        await withTaskGroup(of: Void.self) { group in
            for id in 0..<10 {
                group.addTask { await store.invalidate([.prefix(CachePath(bytes: "/a/\(id)".utf8)), .tag("none")]) }
            }
        }
        await store.idle()
        store.validate()
        #expect(await store.count(at: clock.now) == 0)
    }

    @Test func `The background sweep removes expired entries, and none that dropped versions may concern`()
        async throws
    {
        let clock = ManualClock()
        let store = await store(400, shards: 2, clock)
        // These are more scopes than the log has room for.
        for id in 0..<200 { await store.invalidate([.path(CachePath(bytes: "/x/\(id)".utf8))]) }
        await store.removeUnusable(at: clock.now)
        #expect(await store.count(at: clock.now) == 400)
        let service = Task { await store.run() }
        try await eventually("the sweep waits for the clock") { clock.sleeperCount == 1 }
        clock.advance(by: .seconds(60))
        try await eventually("the sweep has removed the entries") { store.size == .bytes(0) }
        store.validate()
        service.cancel()
        await service.value
    }
}

/// Invalidations of other scopes, however many, do not affect stored responses.
@Suite(.timeLimit(.minutes(5))) struct UnrelatedInvalidationTests {
    private let clock = ManualClock()

    private func location(_ path: String) -> EntryLocation {
        EntryLocation(key: CacheKey(legal: "GET:\(path)"), target: path)
    }

    @Test(arguments: [4, 100]) func `Stored responses stay after any number of unrelated invalidations`(
        _ versionLimit: Int
    ) async {
        let store = MemoryStore(limit: .mebibytes(8), shardCount: 2, versionLimit: versionLimit, clock: clock.clock)
        for id in 0..<200 {
            let readVersion = await store.load(location("/page/\(id)"), at: clock.now).readVersion
            let entry = CacheEntry.sample(
                "v0",
                at: location("/page/\(id)"),
                readVersion: readVersion,
                now: clock.now,
                tags: ["t"]
            )
            #expect(await store.save(entry, at: clock.now).isValid)
        }
        for id in 0..<2_000 {
            await store.invalidate([.path(CachePath("/other/\(id)")), .prefix(CachePath("/more/\(id)")), .tag("u")])
        }
        store.validate()
        for id in 0..<200 {
            #expect(await store.load(location("/page/\(id)"), at: clock.now).entries.count == 1)
        }
        await store.invalidate([.path("/page/7")])
        #expect(await store.load(location("/page/7"), at: clock.now).entries.isEmpty)
        #expect(await store.count(at: clock.now) == 199)
    }

    @Test(arguments: [1, 4]) func `A key is removed in every spelling before its version is dropped`(
        _ shards: Int
    ) async throws {
        let store = MemoryStore(limit: .mebibytes(8), shardCount: shards, versionLimit: 4, clock: clock.clock)
        let spelling = location("/a%7eb")
        let readVersion = await store.load(spelling, at: clock.now).readVersion
        #expect(
            await store.save(.sample("v0", at: spelling, readVersion: readVersion, now: clock.now), at: clock.now)
                .isValid
        )
        #expect(await store.remove(location("/a~b").key, at: clock.now).invalidation == .acknowledged)
        for id in 0..<10 { await store.invalidate([.path(CachePath("/other/\(id)"))]) }
        #expect(await store.load(spelling, at: clock.now).entries.isEmpty)
        #expect(await store.count(at: clock.now) == 0 && store.size == .bytes(0))
        store.validate()
    }

    @Test func `A fetch that began before the log's oldest version is not stored`() async {
        let store = MemoryStore(limit: .mebibytes(8), shardCount: 2, versionLimit: 3, clock: clock.clock)
        let readVersion = await store.load(location("/a"), at: clock.now).readVersion
        await store.invalidate([.path("/a")])
        for id in 0..<10 { await store.invalidate([.path(CachePath("/other/\(id)"))]) }
        let entry = CacheEntry.sample("v0", at: location("/a"), readVersion: readVersion, now: clock.now)
        #expect(await !store.save(entry, at: clock.now).isValid)
        #expect(await store.load(location("/a"), at: clock.now).entries.isEmpty)
    }

    @Test func `A version that is dropped before its entries are removed makes all older ones invalid`() {
        var log = InvalidationLog(limit: 2)
        let readVersion = log.readVersion
        let names = ["/a", "/b", "/c", "/d"].map { InvalidationScope.path(CachePath($0)).fingerprint }
        log.invalidate([names[0]], removedBefore: 1)
        log.invalidate([names[1]], removedBefore: 1)
        #expect(log.isValid(stored: readVersion, scopes: [names[3]]))
        log.invalidate([names[2]], removedBefore: 1)
        #expect(!log.isValid(stored: readVersion, scopes: [names[3]]))
        log.validate()
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `Removals finish in any order`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var removals = PendingRemovals()
        var unfinished: Set<UInt64> = []
        for number in 1...500 as ClosedRange<UInt64> {
            removals.begin(number)
            unfinished.insert(number)
            while let done = unfinished.randomElement(using: &random), Int.random(in: 0..<5, using: &random) < 3 {
                removals.finish(done)
                unfinished.remove(done)
            }
            removals.validate()
            #expect(removals.oldest == unfinished.min(), "seed \(seed)")
        }
    }
}
