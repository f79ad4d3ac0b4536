public import HTTPCaching
public import Larder
import Synchronization

/// An example of a store: a dictionary and an invalidation log behind one lock, in the memory of this process.
///
/// `MemoryStore` is better in every way but length: it has several locks, it finds the entries of a scope without
/// looking at all others, and it evicts what is used least.
public final class DictionaryStore: CacheStore {
    public let entryLimit: ByteCount
    private let limit: ByteCount
    private let variantLimit: Int
    private let state: Mutex<State>

    /// Creates a store.
    /// - Parameters:
    ///   - limit: The size of the store.
    ///   - entryLimit: The size of the largest entry.
    ///   - variantLimit: The number of Vary variants under one key.
    ///   - versionLimit: The number of scopes whose invalidations the log remembers.
    public init(
        limit: ByteCount,
        entryLimit: ByteCount = CacheEntry.limit(forBodiesOf: .mebibytes(1)),
        variantLimit: Int = 64,
        versionLimit: Int = 10_000
    ) {
        self.limit = limit
        self.entryLimit = min(entryLimit, limit)
        self.variantLimit = variantLimit
        self.state = Mutex(State(log: InvalidationLog(limit: versionLimit)))
    }

    public func find(_ location: EntryLocation, at now: Timestamp) -> [CacheEntry]? {
        state.withLock { $0.entries(under: location.key, at: now) }
    }

    public func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        state.withLock { state in
            Lookup(
                entries: state.entries(under: location.key, at: now),
                readVersion: state.log.readVersion,
                newestVersion: state.log.newestVersion(on: location)
            )
        }
    }

    public func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity {
        state.withLock { state in
            let validity = state.log.validity(of: entry)
            guard validity.isValid else { return validity }
            state.update(entry.location.key) { variants in
                if entry.cost <= entryLimit.bytes {
                    variants.save(entry, limit: variantLimit)
                } else {
                    // The entries that it would replace are not the newest responses any more.
                    variants = StoredVariants()
                }
            }
            state.makeRoom(within: limit.bytes, at: now)
            return validity
        }
    }

    public func discard(_ entry: CacheEntry) async {
        state.withLock { $0.update(entry.location.key) { $0.discard(entry) } }
    }

    public func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
        state.withLock { $0.log.validity(of: readVersion, scopes: scopes) }
    }

    public func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        // The entries are compared with the log when they are looked up.
        state.withLock { $0.log.invalidate(scopes) }
        return .acknowledged
    }

    public func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult {
        state.withLock { state in
            let removed = state.entries(under: key, at: now).count
            state.log.invalidate([.key(key)])
            return RemovalResult(removed: removed, invalidation: .acknowledged)
        }
    }

    public func count(at now: Timestamp) async -> Int {
        state.withLock { state in
            state.variants.values.count { $0.entries.contains { state.isUsable($0, at: now) } }
        }
    }
}

/// Everything that the lock guards.
private struct State {
    var log: InvalidationLog
    private(set) var variants: [CacheKey: StoredVariants] = [:]
    /// The number of bytes that all entries take.
    private var cost = 0

    init(log: InvalidationLog) { self.log = log }

    func isUsable(_ entry: CacheEntry, at now: Timestamp) -> Bool {
        now < entry.lifetimes.storedUntil && log.validity(of: entry).isValid
    }

    /// Returns the usable entries under a key, and removes the others.
    mutating func entries(under key: CacheKey, at now: Timestamp) -> [CacheEntry] {
        guard let entries = variants[key]?.entries else { return [] }
        let usable = entries.filter { isUsable($0, at: now) }
        if usable.count < entries.count {
            update(key) { $0.removeAll { entry in !usable.contains { $0 === entry } } }
        }
        return usable
    }

    /// Changes the variants of a key.
    mutating func update(_ key: CacheKey, _ change: (inout StoredVariants) -> Void) {
        var changed = variants[key] ?? StoredVariants()
        cost -= changed.cost
        change(&changed)
        cost += changed.cost
        variants[key] = changed.isEmpty ? nil : changed
    }

    /// Removes entries if they take more than the limit: first what is unusable, then any, an eighth of the limit more
    /// than necessary, so that not every call has to.
    mutating func makeRoom(within limit: Int, at now: Timestamp) {
        guard cost > limit else { return }
        for key in Array(variants.keys) { _ = entries(under: key, at: now) }
        while cost > limit - limit / 8, let key = variants.keys.first { update(key) { $0 = StoredVariants() } }
    }
}
