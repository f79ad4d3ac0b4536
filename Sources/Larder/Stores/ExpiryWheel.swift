package import HTTPCaching

/// The slots of a shard by the second in which they expire, so that expired entries are removed without a search.
///
/// The slots are in 1,024 lists: a slot that expires in a second is in the list of that second modulo 1,024. When the
/// second has passed, its list is examined once, and slots that expire in a later turn stay in it: once in 17 minutes.
/// So adding and removing takes the same short time for any number of slots and any lifetime, unlike a heap, and takes
/// 8 bytes for the links.
///
/// G. Varghese, T. Lauck: Hashed and hierarchical timing wheels, SOSP 1987, scheme 6.
package struct ExpiryWheel: Sendable {
    private struct Node {
        /// The neighbours in the list; -1 if there is none. The first slot of a list has the list's number, as -2 - n.
        var previous: Int32 = -1
        var next: Int32 = -1
        /// The second in which the slot has expired, from the beginning; 0 if the slot is in no list.
        var second: UInt32 = 0
    }

    private static let listCount = 1_024

    private var nodes: [Node] = []
    private var lists: [Int32] = []
    /// The first second whose list has not been examined completely.
    private var next: Int64 = 0
    /// The slot of that list to examine next; -1 for its first.
    private var cursor: Int32 = -1
    /// The second from which others are counted.
    private var start: Int64 = 0
    private(set) var count = 0

    /// Creates a wheel without slots.
    package init() {}

    /// The second in which something has expired that expires at a time: the first one that does not begin before it.
    private static func second(of time: Timestamp) -> Int64 {
        let floor = time.secondsSinceEpoch
        return Timestamp(secondsSinceEpoch: floor) < time ? floor + 1 : floor
    }

    private func stored(_ second: Int64) -> UInt32 { UInt32(clamping: max(1, second - start)) }

    /// Changes the time at which a slot expires.
    mutating func move(_ slot: Int, to time: Timestamp) { set(slot, to: time, at: time) }

    /// Adds a slot, or changes the time at which it expires.
    package mutating func set(_ slot: Int, to time: Timestamp, at now: Timestamp) {
        if count == 0 {
            // Nothing is left that counts from the old beginning.
            (start, next, cursor) = (now.secondsSinceEpoch - 1, now.secondsSinceEpoch, -1)
            if lists.isEmpty { lists = Array(repeating: -1, count: Self.listCount) }
        }
        while nodes.count <= slot { nodes.append(Node()) }
        if nodes[slot].second != 0 {
            let second = stored(Self.second(of: time))
            guard nodes[slot].second != second else { return }
            unlink(slot)
        } else {
            count += 1
        }
        let second = stored(Self.second(of: time))
        nodes[slot].second = second
        // One that has expired already is put into the next list that is examined from its beginning.
        let due = cursor < 0 ? next : next + 1
        let list = Int(max(start + Int64(second), due) & Int64(Self.listCount - 1))
        let first = lists[list]
        nodes[slot].previous = Int32(-2 - list)
        nodes[slot].next = first
        if first >= 0 { nodes[Int(first)].previous = Int32(slot) }
        lists[list] = Int32(slot)
    }

    /// Moves a slot to another one, which is not in the wheel.
    mutating func move(_ slot: Int, toSlot new: Int) {
        guard slot < nodes.count, nodes[slot].second != 0 else { return }
        while nodes.count <= new { nodes.append(Node()) }
        let node = nodes[slot]
        if cursor == Int32(slot) { cursor = Int32(new) }
        if node.previous >= 0 {
            nodes[Int(node.previous)].next = Int32(new)
        } else {
            lists[-2 - Int(node.previous)] = Int32(new)
        }
        if node.next >= 0 { nodes[Int(node.next)].previous = Int32(new) }
        nodes[new] = node
        nodes[slot] = Node()
    }

    /// Gives back the memory of slots that are not in the wheel, all but the first `count`.
    mutating func shrink(to count: Int) { nodes.shrink(to: count) }

    /// Removes a slot; does nothing if it is not in the wheel.
    package mutating func remove(_ slot: Int) {
        guard slot < nodes.count, nodes[slot].second != 0 else { return }
        unlink(slot)
        nodes[slot].second = 0
        count -= 1
    }

    private mutating func unlink(_ slot: Int) {
        let node = nodes[slot]
        if cursor == Int32(slot) { cursor = node.next }
        if node.previous >= 0 {
            nodes[Int(node.previous)].next = node.next
        } else {
            lists[-2 - Int(node.previous)] = node.next
        }
        if node.next >= 0 { nodes[Int(node.next)].previous = node.previous }
    }

    /// Returns a slot that has expired, which stays in the wheel; nil if there is none, or if the budget is spent.
    /// - Parameters:
    ///   - budget: The number of slots that may be examined.
    package mutating func nextExpired(at now: Timestamp, budget: inout Int) -> Int? {
        guard count > 0 else { return nil }
        let second = now.secondsSinceEpoch
        if second - next >= Int64(Self.listCount) { (next, cursor) = (second - Int64(Self.listCount) + 1, -1) }
        let due = UInt32(clamping: max(0, second - start))
        while next <= second {
            if cursor < 0 { cursor = lists[Int(next & Int64(Self.listCount - 1))] }
            while cursor >= 0 {
                guard budget > 0 else { return nil }
                budget -= 1
                let slot = Int(cursor)
                if nodes[slot].second <= due { return slot }
                cursor = nodes[slot].next
            }
            next += 1
        }
        return nil
    }

    /// Returns the number of slots that have expired and are still in the wheel, at most `limit`.
    /// - Parameter isExpired: Returns true if a slot has expired that expires in the current second.
    func count(at now: Timestamp, limit: Int, isExpired: (Int) -> Bool) -> Int {
        guard count > 0 else { return 0 }
        var found = 0
        let second = now.secondsSinceEpoch
        var examined = max(next, second - Int64(Self.listCount) + 2)
        while examined <= second + 1 {
            var place = lists[Int(examined & Int64(Self.listCount - 1))]
            while place >= 0 {
                if found == limit { return found }
                if isExpired(Int(place)) { found += 1 }
                place = nodes[Int(place)].next
            }
            examined += 1
        }
        return found
    }

    /// Traps if a slot is not in the list of its second; for tests.
    func validate() {
        var seen = 0
        for (list, first) in lists.enumerated() {
            var (previous, place) = (Int32(-2 - list), first)
            while place >= 0 {
                precondition(nodes[Int(place)].previous == previous && nodes[Int(place)].second != 0, "A broken link")
                seen += 1
                precondition(seen <= count, "A ring where a list should be")
                (previous, place) = (place, nodes[Int(place)].next)
            }
        }
        precondition(seen == count && nodes.count { $0.second != 0 } == count, "A lost slot")
    }
}
