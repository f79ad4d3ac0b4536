import HTTPCaching
import HTTPTypes
import LarderTestSupport
import TestHelpers
import Testing

@testable import Larder

/// Listing the keys of a memory store while it changes, and ending the freshness of entries.
@Suite(.timeLimit(.minutes(5))) struct ListingTests {
    private let clock = ManualClock()

    private func location(_ path: String) throws -> EntryLocation {
        EntryLocation(key: try #require(CacheKey("GET:\(path)")), target: path)
    }

    private func save(_ path: String, _ tags: [CacheTag] = [], in store: MemoryStore) async throws {
        let location = try location(path)
        let version = await store.load(location, at: clock.now).readVersion
        let entry = CacheEntry.sample(
            path,
            at: location,
            readVersion: version,
            now: clock.now,
            staleFor: .seconds(60),
            tags: tags
        )
        let validity = await store.save(entry, at: clock.now)
        #expect(validity.isValid)
    }

    private func keys(
        _ filter: EntryFilter = .everything,
        of store: MemoryStore,
        limit: Int = 100,
        afterEachPage change: (Int) async throws -> Void = { _ in }
    ) async throws -> [String] {
        var (keys, cursor): ([String], String?) = ([], nil)
        for page in 1... {
            let found = try #require(await store.keys(matching: filter, from: cursor, upTo: limit, at: clock.now))
            #expect(found.keys.count <= limit)
            keys += found.keys.map(\.key.description)
            guard let next = found.next else { break }
            let isNumber = next.allSatisfy { $0.isNumber }
            #expect(isNumber)
            cursor = next
            try await change(page)
        }
        return keys
    }

    @Test(arguments: [1, 4]) func `Keys that stay are listed while most others are removed`(_ shards: Int) async throws
    {
        let store = MemoryStore(limit: .mebibytes(64), shardCount: shards, clock: clock.clock)
        let stay = (0..<300).map { "/stays/\($0)" }
        for (place, path) in stay.enumerated() {
            try await save(path, in: store)
            for more in 0..<10 { try await save("/goes/\(place % 20)/\(place)/\(more)", in: store) }
        }
        let found = try await keys(of: store, limit: 50) { page in
            await store.invalidate([.prefix(CachePath("goes", page % 20))])
            await store.idle()
            store.validate()
        }
        #expect(Set(found).isSuperset(of: stay.map { "GET:\($0)" }))
    }

    @Test func `A page examines a bounded number of keys, and goes on where it stopped`() async throws {
        let store = MemoryStore(limit: .mebibytes(256), shardCount: 2, clock: clock.clock)
        for number in 0..<25_000 { try await save("/\(number)", number % 5_000 == 0 ? ["few"] : [], in: store) }
        let filter = EntryFilter([.init(keyText: "GET:/24")])
        let page = try #require(await store.keys(matching: filter, from: nil, upTo: 10_000, at: clock.now))
        #expect(page.next != nil && page.examined < 12_000)
        let found = try await keys(filter, of: store, limit: 10_000)
        #expect(found.count == 1_111 && Set(found).count == 1_111)
        // The index of tags finds a few at once.
        let few = try #require(
            await store.keys(
                matching: EntryFilter([.init(scopes: [[.tag("few")]])]),
                from: nil,
                upTo: 100,
                at: clock.now
            )
        )
        #expect(few.keys.count == 5 && few.next == nil && few.examined == 5)
    }

    @Test(arguments: ["7", "4294967295", "9999999999999999999", "8589934592-3"])
    func `A position from elsewhere is no error`(_ cursor: String) async throws {
        let store = MemoryStore(limit: .mebibytes(1), shardCount: 1, clock: clock.clock)
        try await save("/a", in: store)
        #expect(await store.keys(matching: .everything, from: cursor, upTo: 10, at: clock.now) != nil)
    }

    /// Compares a store with a table of what it should have, while entries are stored, invalidated and made stale.
    @Test(arguments: [1, 2, 3]) func `Ending freshness keeps every table in order`(_ seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore(limit: .mebibytes(16), shardCount: 2, clock: clock.clock)
        var model: [String: (tags: Set<Int>, isFresh: Bool)] = [:]
        for step in 0..<2_000 {
            let path = "/\(Int.random(in: 0..<40, using: &random))"
            let tag = Int.random(in: 0..<6, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let tags = Set([tag, Int.random(in: 0..<6, using: &random)])
                try await save(path, tags.map { CacheTag("t\($0)") }, in: store)
                model[path] = (tags, true)
                clock.advance(by: .nanoseconds(1))
            case 6, 7:
                let filter = EntryFilter([.init(scopes: [[.tag(CacheTag("t\(tag)"))]])])
                let page = try #require(await store.keys(matching: filter, from: nil, upTo: 1_000, at: clock.now))
                let expected = model.filter { $0.value.tags.contains(tag) }.keys
                #expect(
                    Set(page.keys.map(\.key.description)) == Set(expected.map { "GET:\($0)" }),
                    "seed \(seed), \(step)"
                )
                for match in page.keys {
                    #expect(await store.expire(match.key, matching: filter, at: clock.now) == 1)
                }
                for path in expected { model[path]?.isFresh = false }
            case 8:
                await store.invalidate([.tag(CacheTag("t\(tag)"))])
                model = model.filter { !$0.value.tags.contains(tag) }
            default:
                _ = await store.load(try location(path), at: clock.now)
            }
            if step.isMultiple(of: 50) {
                await store.idle()
                store.validate()
            }
            let found = await store.load(try location(path), at: clock.now).entries.first
            #expect((found != nil) == (model[path] != nil), "seed \(seed), \(step)")
            if let found {
                #expect((clock.now < found.lifetimes.freshUntil) == model[path]?.isFresh, "seed \(seed), \(step)")
            }
        }
    }

    @Test func `A response that is made stale is not repeated from the memory of equal requests`() async throws {
        let store = MemoryStore(limit: .mebibytes(1), clock: clock.clock)
        let cache = ResponseCache(store: store, clock: clock.clock)
        let location = try location("/a")
        let version = await store.load(location, at: clock.now).readVersion
        let entry = CacheEntry.sample("a", at: location, readVersion: version, now: clock.now)
        _ = await store.save(entry, at: clock.now)
        let policy = SharedPolicy(.fresh(for: .seconds(60)))
        let request = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/a")
        let first = try #require(cache.respondAtOnce(to: request, under: policy) { $0.head })
        let hit = try #require(first.1)
        #expect(cache.repeat(hit) != nil)
        #expect(await store.expire(location.key, matching: .everything, at: clock.now) == 1)
        #expect(cache.repeat(hit) == nil)
        #expect(cache.respondAtOnce(to: request, under: policy) { $0.head } == nil)
    }
}
