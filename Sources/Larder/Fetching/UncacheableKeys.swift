import HTTPCaching

/// A set of keys that are remembered for a limited time, and in a limited number: the uncacheable keys, so that
/// requests for them do not wait for one another.
///
/// A key that is added repeatedly is in the set once, and displaces no other key. If there are too many, the key that
/// was added longest ago is forgotten first.
struct UncacheableKeys<Key: Hashable & Sendable>: Sendable {
    /// A key, and the time until which it is remembered.
    private struct Slot {
        let key: Key
        var until: Timestamp
    }

    private var slots: [Slot?] = []
    private var free: [Int] = []
    private var index: [Key: Int] = [:]
    /// The slots in the order in which their keys were added last, which is the order in which they expire.
    private var order = EvictionQueue()
    private let limit: Int
    private let span: Duration

    /// Creates a set with room for `limit` keys, each of which is remembered for `span`.
    init(limit: Int, span: Duration) {
        precondition(limit > 0, "A set needs room for one key")
        self.limit = limit
        self.span = span
    }

    /// The number of keys held, at most `limit`.
    var count: Int { index.count }

    /// Returns true if the key was added less than `span` ago and has not been forgotten since.
    func contains(_ key: Key, at now: Timestamp) -> Bool {
        guard !index.isEmpty, let place = index[key], let slot = slots[place] else { return false }
        return now < slot.until
    }

    /// Remembers a key from now on.
    mutating func add(_ key: Key, at now: Timestamp) {
        let until = now.advanced(by: span)
        if let place = index[key] {
            slots[place]?.until = until
            order.remove(place)
            order.insert(place)
        } else {
            insert(Slot(key: key, until: until))
        }
        while let oldest = order.victim(), let slot = slots[oldest], count > limit || slot.until <= now {
            remove(oldest)
        }
    }

    /// Forgets a key.
    mutating func forget(_ key: Key) {
        guard !index.isEmpty, let place = index[key] else { return }
        remove(place)
    }

    private mutating func insert(_ slot: Slot) {
        let place = free.popLast() ?? slots.count
        if place == slots.count { slots.append(slot) } else { slots[place] = slot }
        index[slot.key] = place
        order.insert(place)
    }

    private mutating func remove(_ place: Int) {
        guard let slot = slots[place] else { return }
        slots[place] = nil
        index[slot.key] = nil
        order.remove(place)
        free.append(place)
    }

    /// Traps if the tables disagree; for tests.
    func validate() {
        order.validate()
        precondition(count <= limit, "More keys than the limit")
        precondition(slots.count <= limit + 1, "A table that grows")
        precondition(index.count == order.count && index.count + free.count == slots.count, "A lost slot")
        for (key, place) in index {
            precondition(slots[place]?.key == key, "A slot that the index does not know")
        }
    }
}
