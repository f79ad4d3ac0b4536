package import HTTPCaching
package import HTTPTypes
import NIOCore

/// The number of bytes that a memory store charges for responses with one head, by the lengths of their bodies and
/// targets. Simulations use it: it makes no entries.
///
/// The memory that a store takes beside its entries does not count: pages that are partly empty, and the objects of
/// packed entries that were used lately, at most a 32nd of what is stored or 256 KiB for each lock.
package struct StoreCharges: Sendable {
    /// The costs of an entry that belong to the depth of its path.
    private struct Depth {
        /// The cost of an entry of objects, without its body and its target.
        let objects: Int
        /// The cost of an entry in a block beside the block.
        let besideBlock: Int
    }

    /// The costs by the number of segments of a path.
    private let depths: [Depth]
    /// The length of a packed entry without its body and its key.
    private let packedLength: Int
    private let largestBlock: Int
    private let largestHot: Int

    /// Creates the charges of GET responses with this head.
    /// - Parameter shardLimit: The number of bytes that one lock of the store has room for.
    package init(_ head: HTTPResponse, shardLimit: Int) {
        let targets = (0...CachePath.maximumPrefixDepth + 1).map { "/" + String(repeating: "a/", count: $0) }
        let entries = targets.map { target in
            CacheEntry(
                head: head,
                body: ByteBuffer(),
                lifetimes: Lifetimes(
                    from: Timestamp(nanosecondsSinceEpoch: 0),
                    until: Timestamp(nanosecondsSinceEpoch: 60_000_000_000)
                ),
                selectingFields: .none,
                readVersion: LogVersion(epoch: .new(), number: 0),
                location: EntryLocation(key: CacheKey(legal: "GET:" + target), target: target),
                tags: []
            )
        }
        depths = zip(targets, entries).map { target, entry in
            Depth(
                objects: entry.cost - Self.cost(ofTarget: target.utf8.count),
                besideBlock: MemoryShard.slotCost + ScopeIndex.cost(links: MemoryShard.chains(of: entry).count)
            )
        }
        var heads = HeadTable(limit: .max)
        let packed = PackedEntry.bytes(of: entries[0], heads: &heads)?.count ?? .max / 2
        packedLength = packed - Self.packedLength(of: "GET:/".utf8.count) - Self.packedLength(of: 0)
        largestBlock = BlockPool(limit: shardLimit).largestBlock
        largestHot = min(shardLimit / 16, MemoryShard.hotMinimum)
    }

    /// Returns the cost of an entry.
    /// - Parameters:
    ///   - body: The length of the body in bytes.
    ///   - target: The length of the request's target in bytes.
    ///   - depth: The number of segments of its path.
    package func cost(body: Int, target: Int, depth: Int) -> Int {
        let depth = depths[min(max(0, depth), depths.count - 1)]
        // A length that overflows is beyond the limit of every store.
        let body = min(body, .max / 4)
        let objects = depth.objects + Self.cost(ofTarget: target) + ByteBuffer.allocated(body)
        let key = min(target + "GET:".utf8.count, CacheKey.maximumLength)
        // The target of a key that is cut off is beside it.
        let rest = key < target + "GET:".utf8.count ? Self.packedLength(of: target) : 0
        let block = BlockPool.cost(of: packedLength + Self.packedLength(of: key) + rest + Self.packedLength(of: body))
        let isPacked =
            body < largestBlock && block <= largestBlock && objects + HotEntries.overhead <= largestHot
        return isPacked ? depth.besideBlock + block : objects
    }

    private static func cost(ofTarget length: Int) -> Int {
        let key = min(length + "GET:".utf8.count, CacheKey.maximumLength)
        return key + max(key, length)
    }

    /// Returns the length of a part of a packed entry, with the number of its bytes before it.
    private static func packedLength(of count: Int) -> Int {
        count + max(1, (Int.bitWidth - count.leadingZeroBitCount + 6) / 7)
    }
}

extension Lifetimes {
    /// Creates the lifetimes of a response that is stored for as long as it is fresh.
    package init(from start: Timestamp, until end: Timestamp) {
        self.init(
            generatedAt: start,
            freshUntil: end,
            staleWhileRevalidateUntil: end,
            staleIfErrorUntil: end,
            staleIfUnreachableUntil: end,
            storedUntil: end,
            source: .rules
        )
    }
}
