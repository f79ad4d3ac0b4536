/// The variants that are stored under one key, for a store that holds entries in the memory of this process.
///
/// It replaces, evicts and discards variants as the contract of stores demands (``CacheStore``), and tells the cache
/// which entries are stored: those do not count against the memory limit for bodies in flight. A store that holds
/// entries in any other way fills up that limit, and then requests bypass the cache.
///
/// ```swift
/// var variants: [CacheKey: StoredVariants] = [:]
/// variants[entry.location.key, default: StoredVariants()].save(entry)
/// ```
public struct StoredVariants: Sendable {
    private var stored: [StoredEntry] = []

    /// Creates an empty collection.
    public init() {}

    /// The variants, the newest first.
    public var entries: [CacheEntry] { stored.map(\.entry) }

    /// True if there are none.
    public var isEmpty: Bool { stored.isEmpty }

    /// The number of bytes that the variants take of a store's limit.
    public var cost: Int { stored.reduce(0) { $0 + $1.entry.cost } }

    /// Adds an entry in place of those that it replaces, and evicts the least recently used variants beyond a limit.
    /// - Parameters:
    ///   - entry: The entry.
    ///   - limit: The number of variants, 64 by default.
    public mutating func save(_ entry: CacheEntry, limit: Int = MemoryStore.defaultVariantLimit) {
        entry.markUsed()
        hold(entries.saving(entry, limit: limit))
    }

    /// Removes the variant of an entry, if it still has the same read version, and the older ones that may answer the
    /// same requests.
    public mutating func discard(_ entry: CacheEntry) {
        hold(entries.discarding(entry))
    }

    /// Removes the entries for which a function returns true: those that are expired or invalidated.
    public mutating func removeAll(where isUnusable: (CacheEntry) -> Bool) {
        stored.removeAll { isUnusable($0.entry) }
    }

    private mutating func hold(_ entries: [CacheEntry]) {
        stored = entries.map { entry in stored.first { $0.entry === entry } ?? StoredEntry(entry) }
    }
}

// MARK: - Variants of a key, the newest first

extension [CacheEntry] {
    /// Returns these variants with a new one at the beginning, and without those that it replaces; beyond the limit
    /// without the least recently used ones.
    func saving(_ entry: CacheEntry, limit: Int) -> [CacheEntry] {
        var variants = filter { !entry.replaces($0) }
        variants.insert(entry, at: 0)
        while variants.count > Swift.max(1, limit), let place = variants.leastRecentlyUsed {
            variants.remove(at: place)
        }
        return variants
    }

    /// Returns these variants without an entry, if it is there with the same read version, and without the older ones
    /// that may answer the same requests, so that they are not found in its place.
    func discarding(_ entry: CacheEntry) -> [CacheEntry] {
        let found = firstIndex {
            $0.readVersion == entry.readVersion && $0.vary == entry.vary && $0.selectingFields == entry.selectingFields
        }
        guard let found else { return self }
        return self[..<found] + self[(found + 1)...].filter { $0.isApart(from: entry) }
    }

    /// The place of the least recently used variant other than the first, which was stored just now.
    private var leastRecentlyUsed: Int? {
        indices.dropFirst().min { self[$0].usedAt < self[$1].usedAt }
    }
}
