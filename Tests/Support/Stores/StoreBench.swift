public import HTTPCaching
import HTTPTypes
public import Larder

/// A store with everything around it that a ``StoreBehaviour`` needs.
public struct StoreBench: Sendable {
    /// The store under test.
    public let store: any CacheStore
    /// A second handle on the same data, as another process would have it; the store itself where it cannot be shared.
    public let peer: any CacheStore
    private let clock: @Sendable () -> Timestamp
    private let move: @Sendable (Duration) async throws -> Void

    /// A bench.
    /// - Parameters:
    ///   - peer: a second handle on the same data, where there can be one.
    ///   - now: reads the time that the store lives by.
    ///   - advance: moves that time on: a clock moved by hand jumps, the clock of a server is waited for.
    public init(
        _ store: any CacheStore,
        peer: (any CacheStore)? = nil,
        now: @escaping @Sendable () -> Timestamp,
        advance: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.store = store
        self.peer = peer ?? store
        self.clock = now
        self.move = advance
    }

    /// The time that the store lives by.
    var now: Timestamp { clock() }

    /// Moves the time on. Some benches really wait: for a second or two at most.
    func advance(by duration: Duration) async throws { try await move(duration) }
}

extension StoreBench {
    /// The address of a GET of a target, under a key of its own where the policy varies by more than the target.
    func location(_ target: String, key: String? = nil, tags: [CacheTag] = []) throws -> EntryLocation {
        let text = key ?? "GET:\(target)"
        guard let key = CacheKey(text) else { throw StoreFailure("\(text) is no key", line: #line, of: #fileID) }
        return EntryLocation(key: key, target: target, tags: tags)
    }

    /// Where the invalidations stand, as the look-up of a miss would read it.
    func readVersion() async throws -> LogVersion {
        await store.load(try location("/nothing/is/ever/kept/here"), at: now).readVersion
    }

    /// The number that a miss reads at an location.
    func newestVersion(on location: EntryLocation) async -> UInt64 {
        await store.load(location, at: now).newestVersion
    }

    /// Keeps a text, born now unless it is said when; the entry that was kept.
    @discardableResult
    func keep(
        _ text: String,
        at location: EntryLocation,
        born: LogVersion? = nil,
        freshFor: Duration = .seconds(60),
        tags: [CacheTag] = [],
        language: String? = nil,
        file: String = #fileID,
        line: Int = #line
    ) async throws -> CacheEntry {
        let readVersion = if let born { born } else { await store.load(location, at: now).readVersion }
        let entry = entry(
            text,
            at: location,
            born: readVersion,
            freshFor: freshFor,
            tags: tags,
            language: language
        )
        let verdict = await store.save(entry, at: now)
        try expect(
            verdict.isAlive,
            "\"\(text)\" was born after every invalidation, and is dead",
            file: file,
            line: line
        )
        return entry
    }

    /// An entry that is not kept yet; one with a language is a variant by `Accept-Language`.
    func entry(
        _ text: String,
        at location: EntryLocation,
        born: LogVersion,
        freshFor: Duration = .seconds(60),
        staleFor: Duration = .zero,
        tags: [CacheTag] = [],
        language: String? = nil
    ) -> CacheEntry {
        .sample(
            text,
            at: location,
            born: born,
            now: now,
            freshFor: freshFor,
            staleFor: staleFor,
            tags: tags,
            request: language.map { [.acceptLanguage: $0] } ?? [:],
            language == nil ? [:] : [.vary: "Accept-Language"]
        )
    }

    /// The texts found at an location through both handles, which have to agree.
    func texts(at location: EntryLocation, at moment: Timestamp? = nil) async throws -> [String] {
        let moment = moment ?? now
        let texts = await store.load(location, at: moment).entries.map(\.text)
        let peers = await peer.load(location, at: moment).entries.map(\.text)
        try expect(peers, is: texts, "what the second handle found")
        return texts
    }

    /// Fails unless exactly these texts are found at an location, in this order.
    func mustFind(
        _ texts: [String],
        at location: EntryLocation,
        at moment: Timestamp? = nil,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let found = try await self.texts(at: location, at: moment)
        try expect(found, is: texts, "found at \(location.key)", file: file, line: line)
    }

    /// Fails unless both handles count so many keys.
    func mustCount(
        _ count: Int,
        _ what: String,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        for handle in [store, peer] {
            let found = await handle.count(at: now)
            try expect(found == count, "\(what): counted \(found) instead of \(count)", file: file, line: line)
        }
    }

    /// Fails unless an entry is dead when it arrives, and still afterwards.
    func mustBeDead(_ entry: CacheEntry, file: String = #fileID, line: Int = #line) async throws {
        let verdict = await store.save(entry, at: now)
        try expect(
            !verdict.isAlive,
            "\"\(entry.text)\" was overtaken, and is alive",
            file: file,
            line: line
        )
        let found = try await texts(at: entry.location)
        try expect(
            !found.contains(entry.text),
            "\"\(entry.text)\" was overtaken, and is found",
            file: file,
            line: line
        )
    }
}
