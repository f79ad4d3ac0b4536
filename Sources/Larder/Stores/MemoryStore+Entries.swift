public import HTTPCaching
import NIOConcurrencyHelpers

// MARK: - Listing entries, and making them stale

extension MemoryStore {
    /// True: the keys can be listed.
    public var listsKeys: Bool { true }

    /// The number of keys that one page examines.
    private static var pageWork: Int { 10_000 }

    /// The position of a listing: a shard, and the slot below which it continues.
    private struct Position {
        var shard: Int
        /// The slot; nil for all slots of the shard.
        var below: Int?

        init(shard: Int, below: Int?) { (self.shard, self.below) = (shard, below) }

        /// Creates the position that a text stands for; the beginning for nil.
        init(_ text: String?) {
            let number = text.flatMap { UInt64($0.prefix { $0 != "-" }) } ?? UInt64(UInt32.max)
            shard = Int(number >> 32)
            below = UInt32(truncatingIfNeeded: number) == .max ? nil : Int(UInt32(truncatingIfNeeded: number))
        }

        var text: String { String(UInt64(shard) << 32 | UInt64(below.map { UInt32(clamping: $0) } ?? .max)) }
    }

    /// Returns a part of the keys. A key that is stored from the first page to the last is on at least one of them.
    public func keys(
        matching filter: EntryFilter,
        from cursor: String?,
        upTo limit: Int,
        at now: Timestamp
    ) async -> KeyPage? {
        let prefilter = EntryMatcher(filter, \.fingerprint)
        let matcher = EntryMatcher(filter, \.canonicalText)
        var position = Position(cursor)
        var page = KeyPage()
        while position.shard < shards.count {
            let batch = shards[position.shard].state.withLockedValue { shard in
                shard.keys(
                    below: position.below,
                    upTo: limit - page.keys.count,
                    matching: prefilter,
                    matcher,
                    at: now,
                    isValid: validityOfStored
                )
            }
            page.keys += batch.keys.map { found in
                KeyPage.Match(
                    key: found.key,
                    clauses: found.clauses,
                    position: Position(shard: position.shard, below: found.place).text
                )
            }
            page.examined += batch.examined
            position.below = batch.next
            if batch.next == nil { position.shard += 1 }
            guard position.shard < shards.count else { break }
            if page.keys.count >= limit || page.examined >= Self.pageWork {
                page.next = position.text
                break
            }
            await Task.yield()
        }
        return page
    }

    /// Returns the valid responses under a key, the newest first.
    public func entries(under key: CacheKey, at now: Timestamp) async -> [CacheEntry]? {
        shard(of: key).state.withLockedValue { $0.entries(under: key, at: now, isValid: validityOfStored) }
    }

    /// Ends the freshness of the selected responses under a key.
    public func expire(_ key: CacheKey, matching filter: EntryFilter, at now: Timestamp) async -> Int? {
        let matcher = EntryMatcher(filter, \.canonicalText)
        var dropped: [CacheEntry] = []
        return shard(of: key).state.withLockedValue { shard in
            shard.expire(key, matching: matcher, at: now, isValid: validityOfStored, dropping: &dropped)
        }
    }
}
