/// An entry in one of the queues of a policy, linked to its neighbours by their slots.
protocol QueuedSlot {
    /// A node that is in no queue.
    init()
    /// The slots of the neighbours; -1 if there is none.
    var older: Int32 { get set }
    var newer: Int32 { get set }
    /// The part of the capacity that the entry takes.
    var cost: UInt32 { get }
}

/// A queue of slots in the order in which they entered it. The links are in the array of nodes that all queues of a
/// policy share, so that a queue takes no memory for each slot.
struct SlotQueue<Node: QueuedSlot & Sendable>: Sendable {
    private(set) var oldest: Int32 = -1
    private(set) var newest: Int32 = -1
    private(set) var count = 0
    private(set) var bytes = 0

    var isEmpty: Bool { oldest < 0 }

    /// Adds a slot as the newest.
    mutating func append(_ slot: Int, in nodes: inout [Node]) {
        let id = Int32(truncatingIfNeeded: slot)
        nodes[slot].older = newest
        nodes[slot].newer = -1
        if newest >= 0 { nodes[Int(newest)].newer = id } else { oldest = id }
        newest = id
        count += 1
        bytes += Int(nodes[slot].cost)
    }

    /// Removes a slot, wherever it is in the queue.
    mutating func remove(_ slot: Int, in nodes: inout [Node]) {
        let (older, newer) = (nodes[slot].older, nodes[slot].newer)
        if older >= 0 { nodes[Int(older)].newer = newer } else { oldest = newer }
        if newer >= 0 { nodes[Int(newer)].older = older } else { newest = older }
        count -= 1
        bytes -= Int(nodes[slot].cost)
    }

    /// Moves a slot of the queue to another one, which is in no queue.
    mutating func move(_ slot: Int, to new: Int, in nodes: inout [Node]) {
        let (node, id) = (nodes[slot], Int32(truncatingIfNeeded: new))
        if node.older >= 0 { nodes[Int(node.older)].newer = id } else { oldest = id }
        if node.newer >= 0 { nodes[Int(node.newer)].older = id } else { newest = id }
        nodes[new] = node
        nodes[slot] = Node()
    }

    /// Notes that the cost of a slot in the queue has changed.
    mutating func adjust(by difference: Int) { bytes += difference }

    /// Traps if the links do not form one list, or if the sums are wrong; for tests.
    func validate(in nodes: [Node]) {
        var (seen, sum) = (0, 0)
        var (previous, slot): (Int32, Int32) = (-1, oldest)
        while slot >= 0 {
            precondition(nodes[Int(slot)].older == previous, "A broken link")
            seen += 1
            sum += Int(nodes[Int(slot)].cost)
            precondition(seen <= count, "A ring where a list should be")
            (previous, slot) = (slot, nodes[Int(slot)].newer)
        }
        precondition(previous == newest && seen == count && sum == bytes, "A lost slot")
    }
}
