import NIOConcurrencyHelpers
import NIOCore

extension MemoryStore {
    /// Returns the entry limit of a store of this size that is created for entries up to `wanted`.
    /// - Parameters:
    ///   - wanted: The entry limit that the store is created with.
    ///   - limit: The size of the store.
    ///   - shardCount: The number of locks, as in the initialiser.
    public static func entryLimit(
        _ wanted: ByteCount,
        within limit: ByteCount,
        shardCount: Int? = nil
    ) -> ByteCount {
        let wanted = min(wanted, limit)
        let count = max(1, shardCount ?? Self.shardCount(limit: limit, entryLimit: wanted))
        return min(wanted, .bytes(limit.bytes / count))
    }

    /// Returns the number of locks of a store of this size, unless it is created with another one.
    package static func shardCount(limit: ByteCount, entryLimit: ByteCount) -> Int {
        var byCores = 4
        while byCores < 4 * System.coreCount { byCores *= 2 }
        // With fewer, large entries would displace too much of what is in their shard.
        let bySize = limit.bytes / 64 / max(1, entryLimit.bytes)
        return max(1, min(byCores, bySize))
    }
}

extension MemoryStore {
    /// The number of bytes that are used of the limit.
    public var size: ByteCount {
        .bytes(shards.reduce(0) { size, shard in size + shard.state.withLockedValue { $0.bytes } })
    }

    /// The memory that is used, and the numbers of evicted and expired keys.
    public var usage: StoreUsage? {
        let none = StoreUsage(used: .bytes(0), limit: .bytes(0), evictions: 0, expirations: 0)
        return shards.reduce(into: none) { usage, shard in
            shard.state.withLockedValue { shard in
                usage.used = .bytes(usage.used.bytes + shard.bytes)
                usage.limit = .bytes(usage.limit.bytes + shard.limit)
                usage.evictions += shard.evictions
                usage.expirations += shard.expirations
            }
        }
    }
}
