import NIOConcurrencyHelpers

/// The keys and tags whose fetches are the most frequent, the largest, or the slowest, in bounded memory.
///
/// Fetches are counted by Space-Saving, as requests are (``TopKeys``), in one table for each order. What is reported
/// besides the order, such as the bytes of the keys with the most fetches, is counted since the key entered the table.
package final class TopFetches: Sendable {
    /// The order of the keys.
    package enum Order: String, Sendable, CaseIterable {
        /// By the number of fetches.
        case misses
        /// By the bytes that origins sent.
        case bytes
        /// By the time that origins took.
        case originTime = "origin-time"
    }

    /// The fetches of one key or tag.
    package struct Total: Sendable {
        package let name: String
        package let misses: Int
        package let bytes: Int
        package let nanoseconds: Int
    }

    private let keys: NIOLockedValueBox<Table>
    private let tags: NIOLockedValueBox<Table>

    init(room: Int) {
        keys = NIOLockedValueBox(Table(room: room))
        tags = NIOLockedValueBox(Table(room: room))
    }

    /// Counts a fetch.
    func count(_ key: CacheKey, tags names: [CacheTag], bytes: Int, nanoseconds: Int) {
        keys.withLockedValue { $0.count(key.description, bytes, nanoseconds) }
        guard !names.isEmpty else { return }
        tags.withLockedValue { tags in
            for name in names { tags.count(name.description, bytes, nanoseconds) }
        }
    }

    /// Returns the first keys in this order.
    package func topKeys(by order: Order, _ count: Int) -> [Total] { keys.withLockedValue { $0.top(order, count) } }

    /// Returns the first tags in this order.
    package func topTags(by order: Order, _ count: Int) -> [Total] { tags.withLockedValue { $0.top(order, count) } }

    /// The counts for each order.
    private struct Table {
        private var counts: [Order: WeightedCounts] = [:]

        init(room: Int) {
            for order in Order.allCases { counts[order] = WeightedCounts(room: room) }
        }

        mutating func count(_ name: String, _ bytes: Int, _ nanoseconds: Int) {
            counts[.misses]?.count(name, weight: 1, bytes, nanoseconds)
            counts[.bytes]?.count(name, weight: bytes, bytes, nanoseconds)
            counts[.originTime]?.count(name, weight: nanoseconds, bytes, nanoseconds)
        }

        func top(_ order: Order, _ count: Int) -> [Total] { counts[order]?.top(count) ?? [] }
    }
}

/// Space-Saving with weights: a name that is not in the full table replaces the one with the lowest weight, and
/// continues from that weight, which is the error of the new one.
private struct WeightedCounts {
    private struct Count {
        var name: String
        var weight: Int
        var error = 0
        var misses = 0
        var bytes = 0
        var nanoseconds = 0
    }

    private var counts: [Count] = []
    private var index: [String: Int] = [:]
    private var lowest = IndexedHeap<Int>()
    private let room: Int

    init(room: Int) { self.room = room }

    mutating func count(_ name: String, weight: Int, _ bytes: Int, _ nanoseconds: Int) {
        let place: Int
        if let known = index[name] {
            place = known
            counts[place].weight += weight
        } else if counts.count < room {
            place = counts.count
            counts.append(Count(name: name, weight: weight))
        } else if let first = lowest.first {
            place = first.id
            let old = counts[place]
            index[old.name] = nil
            counts[place] = Count(name: name, weight: old.weight + weight, error: old.weight)
        } else {
            return
        }
        index[name] = place
        lowest.set(place, to: counts[place].weight)
        counts[place].misses += 1
        counts[place].bytes += bytes
        counts[place].nanoseconds += nanoseconds
    }

    func top(_ count: Int) -> [TopFetches.Total] {
        let certain = counts.sorted {
            let (first, second) = ($0.weight - $0.error, $1.weight - $1.error)
            return first == second ? $0.name < $1.name : first > second
        }
        return certain.prefix(max(0, count)).map {
            TopFetches.Total(name: $0.name, misses: $0.misses, bytes: $0.bytes, nanoseconds: $0.nanoseconds)
        }
    }
}
