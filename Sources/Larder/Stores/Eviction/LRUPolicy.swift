/// The eviction of the least recently used entry, to compare other policies with.
package struct LRUPolicy: EvictionPolicy {
    private struct Node: QueuedSlot {
        var hash: UInt64 = 0
        var older: Int32 = -1
        var newer: Int32 = -1
        var cost: UInt32 = 0
    }

    private var nodes: [Node] = []
    private var queue = SlotQueue<Node>()

    package init(capacity: Int) {}

    package var count: Int { queue.count }
    package var bytes: Int { queue.bytes }
    package func hash(of slot: Int) -> UInt64 { nodes[slot].hash }
    package func cost(of slot: Int) -> Int { Int(nodes[slot].cost) }

    package mutating func recall(_ hash: UInt64) -> Bool { false }

    package mutating func insert(_ slot: Int, cost: Int, hash: UInt64, isRecalled: Bool) {
        while nodes.count <= slot { nodes.append(Node()) }
        nodes[slot] = Node(hash: hash, cost: UInt32(cost))
        queue.append(slot, in: &nodes)
    }

    package mutating func hit(_ slot: Int) {
        queue.remove(slot, in: &nodes)
        queue.append(slot, in: &nodes)
    }

    package mutating func resize(_ slot: Int, to cost: Int) {
        queue.adjust(by: cost - Int(nodes[slot].cost))
        nodes[slot].cost = UInt32(cost)
    }

    package mutating func evict(newUses: (Int) -> Int, isExpired: (Int) -> Bool) -> Int? {
        guard !queue.isEmpty else { return nil }
        let slot = Int(queue.oldest)
        queue.remove(slot, in: &nodes)
        return slot
    }

    package mutating func remove(_ slot: Int, isExpired: Bool) { queue.remove(slot, in: &nodes) }

    package mutating func move(_ slot: Int, to new: Int) { queue.move(slot, to: new, in: &nodes) }

    package mutating func shrink(to count: Int) { nodes.shrink(to: count) }

    package func validate() { queue.validate(in: nodes) }
}
