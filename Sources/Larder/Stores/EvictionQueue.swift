/// A queue that chooses the slot to evict next: the oldest that was not used since it was last examined (FIFO with a
/// second chance, "CLOCK"). Slots are small integers.
struct EvictionQueue {
    private struct Node {
        var older: Int32 = -1
        var newer: Int32 = -1
        var wasUsed = false
        var isMember = false
    }

    private var nodes: [Node] = []
    private var oldest: Int32 = -1
    private var newest: Int32 = -1
    private(set) var count = 0

    /// Adds a slot that was filled.
    mutating func insert(_ slot: Int) {
        while nodes.count <= slot { nodes.append(Node()) }
        precondition(!nodes[slot].isMember, "A slot is in the queue once")
        nodes[slot] = Node(older: newest, newer: -1, wasUsed: false, isMember: true)
        if newest >= 0 { nodes[Int(newest)].newer = Int32(slot) } else { oldest = Int32(slot) }
        newest = Int32(slot)
        count += 1
    }

    /// Notes that a slot was used.
    mutating func use(_ slot: Int) {
        nodes[slot].wasUsed = true
    }

    /// Removes a slot that was emptied.
    mutating func remove(_ slot: Int) {
        let node = nodes[slot]
        precondition(node.isMember, "Only a member can leave the queue")
        if node.older >= 0 { nodes[Int(node.older)].newer = node.newer } else { oldest = node.newer }
        if node.newer >= 0 { nodes[Int(node.newer)].older = node.older } else { newest = node.older }
        nodes[slot].isMember = false
        count -= 1
    }

    /// Returns the slot to empty next; nil if there is none. A slot that was used gets a second chance, at most 64
    /// slots a call, so that no insertion examines the whole queue.
    mutating func victim() -> Int? {
        for _ in 0..<64 where oldest >= 0 && nodes[Int(oldest)].wasUsed {
            let slot = Int(oldest)
            remove(slot)
            insert(slot)
        }
        return oldest >= 0 ? Int(oldest) : nil
    }

    /// Traps if the links do not form one list of all members; for tests.
    func validate() {
        var seen = 0
        var previous: Int32 = -1
        var slot = oldest
        while slot >= 0 {
            let node = nodes[Int(slot)]
            precondition(node.isMember && node.older == previous, "A broken link")
            seen += 1
            precondition(seen <= count, "A ring where a list should be")
            previous = slot
            slot = node.newer
        }
        precondition(previous == newest && seen == count && nodes.count { $0.isMember } == count, "A lost member")
    }
}
