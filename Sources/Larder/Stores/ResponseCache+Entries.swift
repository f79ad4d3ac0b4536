/// What the admin API needs of the store.
extension ResponseCache {
    /// The name of the cache in `Cache-Status`.
    package var name: String { serving.name }

    /// True if the keys of the store can be listed.
    package var listsKeys: Bool { store.listsKeys }

    /// Returns a part of the keys of the store; nil if they cannot be listed, or the store cannot be reached.
    package func keys(
        matching filter: EntryFilter,
        from cursor: String? = nil,
        upTo limit: Int
    ) async -> KeyPage? {
        await store.keys(matching: filter, from: cursor, upTo: limit, at: clock.now)
    }

    /// Returns the valid responses under a key, the newest first; nil if the store cannot be reached.
    package func entries(under key: CacheKey) async -> [CacheEntry]? {
        await store.entries(under: key, at: clock.now)
    }

    /// Ends the freshness of the selected responses under a key, and returns their number; nil if the store cannot be
    /// reached.
    package func expire(_ key: CacheKey, matching filter: EntryFilter) async -> Int? {
        await store.expire(key, matching: filter, at: clock.now)
    }
}
