public import HTTPCaching
import HTTPTypes
public import Larder

/// A store, and everything else that a ``StoreBehaviour`` needs.
public struct StoreBench: Sendable {
    /// The store under test.
    public let store: any CacheStore
    /// A second handle on the same data, as another process would have it; the store itself if it cannot be shared.
    public let peer: any CacheStore
    /// True if the store knows how many responses it removes with a key. Set it to false for a store that uses the
    /// default ``/Larder/CacheStore/remove(_:at:)``.
    public var countsRemovals = true
    private let clock: @Sendable () -> Timestamp
    private let move: @Sendable (Duration) async throws -> Void

    /// Creates a bench.
    /// - Parameters:
    ///   - store: The store under test, which is empty.
    ///   - peer: A second handle on the same data, if there can be one.
    ///   - now: A function that reads the store's clock.
    ///   - advance: A function that advances that clock: it sets a manual clock, and waits for the clock of a server.
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

    /// Creates a bench for a store that takes its time from a clock that the test advances.
    /// - Parameters:
    ///   - store: The store under test, which is empty.
    ///   - peer: A second handle on the same data, if there can be one.
    ///   - clock: The clock of the store.
    public init(_ store: any CacheStore, peer: (any CacheStore)? = nil, clock: ManualClock) {
        self.init(store, peer: peer, now: { clock.now }, advance: { clock.advance(by: $0) })
    }

    /// The time by the store's clock.
    var now: Timestamp { clock() }

    /// Advances the time. Some benches really wait, for a second or two at most.
    func advance(by duration: Duration) async throws { try await move(duration) }
}

extension StoreBench {
    /// Returns the location of a GET of a target. `key` is given if the policy varies by more than the target.
    func location(_ target: String, key: String? = nil, tags: [CacheTag] = []) throws -> EntryLocation {
        let text = key ?? "GET:\(target)"
        guard let key = CacheKey(text) else { throw StoreFailure("\(text) is not a key", line: #line, of: #fileID) }
        return EntryLocation(key: key, target: target, tags: tags)
    }

    /// Returns the version of the log, as the look-up of a miss reads it.
    func readVersion() async throws -> LogVersion {
        await store.load(try location("/nothing/is/ever/stored/here"), at: now).readVersion
    }

    /// Returns the newest version that a look-up reads at a location.
    func newestVersion(on location: EntryLocation) async -> UInt64 {
        await store.load(location, at: now).newestVersion
    }

    /// Stores a text, with the log's current version as its read version unless another one is given. Returns the
    /// stored entry.
    @discardableResult
    func put(
        _ text: String,
        at location: EntryLocation,
        readVersion: LogVersion? = nil,
        freshFor: Duration = .seconds(60),
        tags: [CacheTag] = [],
        language: String? = nil,
        file: String = #fileID,
        line: Int = #line
    ) async throws -> CacheEntry {
        let readVersion = if let readVersion { readVersion } else { await store.load(location, at: now).readVersion }
        let entry = entry(
            text,
            at: location,
            readVersion: readVersion,
            freshFor: freshFor,
            tags: tags,
            language: language
        )
        let validity = await store.save(entry, at: now)
        try expect(
            validity.isValid,
            "\"\(text)\" was read after every invalidation, and is invalid",
            file: file,
            line: line
        )
        return entry
    }

    /// Creates an entry without storing it. An entry with a language is a variant by `Accept-Language`.
    func entry(
        _ text: String,
        at location: EntryLocation,
        readVersion: LogVersion,
        freshFor: Duration = .seconds(60),
        staleFor: Duration = .zero,
        tags: [CacheTag] = [],
        language: String? = nil
    ) -> CacheEntry {
        .sample(
            text,
            at: location,
            readVersion: readVersion,
            now: now,
            freshFor: freshFor,
            staleFor: staleFor,
            tags: tags,
            request: language.map { [.acceptLanguage: $0] } ?? [:],
            language == nil ? [:] : [.vary: "Accept-Language"]
        )
    }

    /// Returns the texts found at a location through both handles, which must agree.
    func texts(at location: EntryLocation, at moment: Timestamp? = nil) async throws -> [String] {
        let moment = moment ?? now
        let texts = await store.load(location, at: moment).entries.map(\.text)
        let peers = await peer.load(location, at: moment).entries.map(\.text)
        try expect(peers, is: texts, "texts that the second handle finds")
        return texts
    }

    /// Throws unless exactly these texts are found at a location, in this order.
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

    /// Throws unless both handles count this many keys.
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

    /// Removes a key, and throws unless the invalidation is acknowledged and this many responses were removed.
    func mustRemove(
        _ count: Int,
        under key: CacheKey,
        through handle: (any CacheStore)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let result = await (handle ?? store).remove(key, at: now)
        let right = RemovalResult(removed: countsRemovals ? count : nil, invalidation: .acknowledged)
        try expect(result, is: right, "the result of removing \(key)", file: file, line: line)
        try expect(result.wasStored, is: right.removed != 0, "whether something was stored", file: file, line: line)
    }

    /// Tries to store an entry, and throws unless it is invalid and is not found afterwards.
    func mustBeInvalid(_ entry: CacheEntry, file: String = #fileID, line: Int = #line) async throws {
        let validity = await store.save(entry, at: now)
        try expect(
            !validity.isValid,
            "\"\(entry.text)\" was overtaken, and is valid",
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
