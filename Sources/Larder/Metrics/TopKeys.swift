import NIOConcurrencyHelpers

/// A count of the keys with the most requests, in bounded memory.
///
/// Each part counts by Space-Saving (Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k
/// Elements in Data Streams", ICDT 2005): every count is exact until a part has as many keys as it has room for. A
/// further key replaces the key with the lowest count, and continues from that count, which is then the *error* of the
/// new count. What is reported is the count without its error: the requests that the key had for certain. It is never
/// too high, and too low by at most the number of requests to its part divided by its room, and so is the count of a
/// key that is not reported. A key belongs to one part, and each part has room for the guaranteed number of keys,
/// whatever the keys are.
final class TopKeys: Sendable {
    private final class Part: Sendable {
        let summary: NIOLockedValueBox<SpaceSaving>

        init(room: Int) { summary = NIOLockedValueBox(SpaceSaving(room: room)) }
    }

    private let parts: [Part]

    /// Creates a count.
    /// - Parameter guaranteed: The number of keys that are counted exactly, whatever they are.
    init(guaranteed: Int, parts: Int = 8) {
        precondition(guaranteed > 0 && parts > 0, "A count needs room for one key")
        self.parts = (0..<parts).map { _ in Part(room: guaranteed) }
    }

    /// Counts a request for a key.
    func count(_ key: CacheKey) {
        parts[Int(UInt(bitPattern: key.hash) >> 8 % UInt(parts.count))].summary.withLockedValue { $0.count(key) }
    }

    /// Returns the number of requests that are certain for a key; nil if it is not counted, as it has few.
    func count(of key: CacheKey) -> Int? {
        parts[Int(UInt(bitPattern: key.hash) >> 8 % UInt(parts.count))].summary.withLockedValue { $0.count(of: key) }
    }

    /// Returns the keys with the highest numbers of requests that are certain, the highest first. Equal numbers are
    /// ordered by key, so that the order is stable.
    func top(_ count: Int) -> [(key: CacheKey, count: Int)] {
        let counts = parts.flatMap { part in part.summary.withLockedValue { $0.certain } }
        let sorted = counts.sorted {
            $0.count == $1.count ? $0.key.description < $1.key.description : $0.count > $1.count
        }
        return Array(sorted.prefix(max(0, count)))
    }

    /// Traps if the tables of a part disagree; for tests.
    func validate() {
        for part in parts { part.summary.withLockedValue { $0.validate() } }
    }
}

/// The counts of the keys with the most requests in one part.
struct SpaceSaving {
    /// A key with its count, which may be too high by the error.
    struct Count {
        var key: CacheKey
        var count = 1
        var error = 0
    }

    private(set) var counts: [Count] = []
    private var index: [CacheKey: Int] = [:]
    /// The places by count. A count may be higher than the one here, which is updated only when the lowest is asked
    /// for.
    private var lowest = IndexedHeap<Int>()
    private let room: Int

    init(room: Int) { self.room = room }

    /// The keys with the numbers of requests that they had for certain.
    var certain: [(key: CacheKey, count: Int)] { counts.map { ($0.key, $0.count - $0.error) } }

    func count(of key: CacheKey) -> Int? { index[key].map { counts[$0].count - counts[$0].error } }

    mutating func count(_ key: CacheKey) {
        if let place = index[key] {
            counts[place].count += 1
        } else if counts.count < room {
            index[key] = counts.count
            lowest.set(counts.count, to: 1)
            counts.append(Count(key: key))
        } else if let place = lowestPlace() {
            index[counts[place].key] = nil
            index[key] = place
            counts[place] = Count(key: key, count: counts[place].count + 1, error: counts[place].count)
        }
    }

    /// Returns the place with the lowest count. Counts only grow, so the first place with an up-to-date count has the
    /// lowest.
    private mutating func lowestPlace() -> Int? {
        while let first = lowest.first, first.priority != counts[first.id].count {
            lowest.set(first.id, to: counts[first.id].count)
        }
        return lowest.first?.id
    }

    /// Traps if the tables disagree; for tests.
    func validate() {
        lowest.validate()
        precondition(counts.count <= room && index.count == counts.count, "More keys than there is room for")
        for (place, counted) in counts.enumerated() {
            precondition(index[counted.key] == place, "A count under the wrong key")
            precondition(lowest.priority(of: place).map { $0 <= counted.count } == true, "A count that shrank")
        }
    }
}
