import DequeModule
import Larder
import NIOCore

/// The entries of values that were read lately, so that a value that has not changed is not decoded again.
///
/// An entry follows from its value, so a value with the same bytes is the same entry. Each look-up still reads the
/// value and the invalidation log. The memory is bounded: the variants that were first remembered are forgotten first.
struct DecodedEntries {
    /// An entry with the value that it was decoded from.
    final class Known: Sendable {
        /// The bytes of the value.
        let value: ByteBuffer
        /// The last use of the variant, if its key has several.
        let mark: UseMark?
        /// The location that was looked up. Its tags can differ from those that the entry was stored with.
        let location: EntryLocation
        /// The scopes that belong to the location, as members of the log.
        let members: [String]
        /// The memory that all of it takes, in bytes.
        let cost: Int
        private let stored: StoredEntry

        var entry: CacheEntry { stored.entry }

        init(
            _ entry: CacheEntry,
            of value: ByteBuffer,
            _ mark: UseMark?,
            at location: EntryLocation,
            _ members: [String]
        ) {
            (self.value, self.mark, self.location, self.members) = (value, mark, location, members)
            stored = StoredEntry(entry)
            cost = members.reduce(value.readableBytes + location.target.utf8.count + entry.cost + Self.overhead) {
                $0 + Self.memberOverhead + $1.utf8.count
            }
        }

        /// The bytes for this object, its arrays, and its places in the tables, rounded up.
        private static let overhead = 400
        /// The bytes that a text takes beside its contents: its place in the array, and the header of its memory.
        private static let memberOverhead = 16 + 48
    }

    private var entries: [VariantID: Known] = [:]
    private var order: Deque<VariantID> = []
    /// The bytes that all of them take together.
    private(set) var cost = 0
    /// The largest number of bytes that all of them take together.
    let limit: Int
    /// The size in bytes of the largest value that is remembered.
    static let valueLimit = 65_536

    init(limit: Int = 4 << 20) { self.limit = limit }

    var count: Int { entries.count }

    /// Returns what is known of a variant. Its entry is that of a value with the same bytes, if the mark is the same.
    subscript(_ variant: VariantID) -> Known? { entries[variant] }

    /// Returns the scopes that belong to a location, as members of the log, if an entry was found there.
    func members(of location: EntryLocation, storedAs variant: VariantID) -> [String]? {
        guard let known = entries[variant], known.location.target == location.target,
            known.location.tags == location.tags
        else { return nil }
        return known.members
    }

    /// Remembers an entry in place of what was known of the variant.
    /// - Returns: What was replaced and forgotten, which the caller releases outside its lock.
    mutating func remember(_ known: Known, as variant: VariantID) -> [Known] {
        var dropped: [Known] = []
        if let old = entries.updateValue(known, forKey: variant) {
            dropped.append(old)
        } else {
            order.append(variant)
        }
        cost += known.cost - (dropped.first?.cost ?? 0)
        while cost > limit, let oldest = order.popFirst(), let known = entries.removeValue(forKey: oldest) {
            cost -= known.cost
            dropped.append(known)
        }
        return dropped
    }

    /// Traps if the tables disagree; for tests.
    func validate() {
        precondition(Set(order) == Set(entries.keys) && order.count == entries.count, "An order of other variants")
        precondition(cost == entries.values.reduce(0) { $0 + $1.cost } && cost <= limit, "A wrong sum of the costs")
    }
}
