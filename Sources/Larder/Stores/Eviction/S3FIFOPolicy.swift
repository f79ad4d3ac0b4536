/// S3-FIFO for a store that is bounded in bytes: three queues, in which no entry moves when it is found.
///
/// New entries enter a small queue, a tenth of the capacity. Most entries are never used again and leave it without
/// having displaced any other. An entry that was used at least twice moves on to the main queue when its turn comes. In
/// the main queue an entry gets one more turn for each of its uses, of which up to three are counted. The hashes of
/// entries that the small queue has evicted are remembered, in number up to nine tenths of the stored entries: an entry
/// that is stored again enters the main queue.
///
/// J. Yang, Y. Zhang, Z. Qiu, Y. Yue, R. Vinayak: FIFO queues are all you need for cache eviction, SOSP 2023. This
/// variant admits entries that are larger than the small queue, and decides for each single entry which queue must
/// shrink.
package struct S3FIFOPolicy: EvictionPolicy {
    private enum Queue: UInt8 {
        case none, small, main
    }

    private struct Node: QueuedSlot {
        var hash: UInt64 = 0
        var older: Int32 = -1
        var newer: Int32 = -1
        var cost: UInt32 = 0
        /// The uses since the entry was last examined, at most 3.
        var uses: UInt8 = 0
        var queue = Queue.none
    }

    /// The uses in the small queue from which an entry moves to the main queue.
    private static let promotion: UInt8 = 2
    private static let mostUses: UInt8 = 3

    private var nodes: [Node] = []
    private var small = SlotQueue<Node>()
    private var main = SlotQueue<Node>()
    private var ghosts = GhostQueue()
    private let capacity: Int

    package init(capacity: Int) { self.capacity = capacity }

    package var count: Int { small.count + main.count }
    package var bytes: Int { small.bytes + main.bytes }
    /// The number of hashes of evicted entries.
    var ghostCount: Int { ghosts.count }
    /// The memory in bytes of the hashes of evicted entries.
    var ghostBytes: Int { ghosts.allocatedBytes }

    package func hash(of slot: Int) -> UInt64 { nodes[slot].hash }
    package func cost(of slot: Int) -> Int { Int(nodes[slot].cost) }

    package mutating func recall(_ hash: UInt64) -> Bool { ghosts.take(hash) }

    package mutating func insert(_ slot: Int, cost: Int, hash: UInt64, isRecalled: Bool) {
        while nodes.count <= slot { nodes.append(Node()) }
        precondition(nodes[slot].queue == .none, "A slot is in one queue")
        nodes[slot] = Node(hash: hash, cost: UInt32(cost))
        if isRecalled { enterMain(slot) } else { enterSmall(slot) }
    }

    package mutating func hit(_ slot: Int) {
        if nodes[slot].uses < Self.mostUses { nodes[slot].uses += 1 }
    }

    private mutating func count(_ uses: Int, of slot: Int) {
        nodes[slot].uses = UInt8(min(Int(Self.mostUses), Int(nodes[slot].uses) + uses))
    }

    package mutating func resize(_ slot: Int, to cost: Int) {
        let difference = cost - Int(nodes[slot].cost)
        nodes[slot].cost = UInt32(cost)
        if nodes[slot].queue == .small { small.adjust(by: difference) } else { main.adjust(by: difference) }
    }

    package mutating func evict(newUses: (Int) -> Int, isExpired: (Int) -> Bool) -> Int? {
        var scanned = 0
        while count > 0 {
            let mustEvict = scanned >= evictionScanLimit
            scanned += 1
            // The queue that must shrink is chosen at each step: after a promotion the small one may be small enough.
            if !small.isEmpty, main.isEmpty || small.bytes > capacity / 10 {
                let slot = Int(small.oldest)
                count(newUses(slot), of: slot)
                if mustEvict || nodes[slot].uses < Self.promotion || isExpired(slot) {
                    leave(slot)
                    remember(slot)
                    return slot
                }
                leave(slot)
                enterMain(slot)
            } else {
                let slot = Int(main.oldest)
                count(newUses(slot), of: slot)
                let hasExpired = isExpired(slot)
                if hasExpired || mustEvict || nodes[slot].uses == 0 {
                    remove(slot, isExpired: hasExpired)
                    return slot
                }
                let uses = nodes[slot].uses - 1
                leave(slot)
                enterMain(slot)
                nodes[slot].uses = uses
            }
        }
        return nil
    }

    package mutating func remove(_ slot: Int, isExpired: Bool) {
        leave(slot)
        if isExpired { remember(slot) } else { ghosts.trim(to: ghostLimit) }
    }

    /// Without this bound, the hashes would take more memory than the entries of a store that shrinks.
    private var ghostLimit: Int { count * 9 / 10 }

    private mutating func remember(_ slot: Int) { ghosts.insert(nodes[slot].hash, limit: ghostLimit) }

    private mutating func enterSmall(_ slot: Int) {
        nodes[slot].queue = .small
        nodes[slot].uses = 0
        small.append(slot, in: &nodes)
    }

    private mutating func enterMain(_ slot: Int) {
        nodes[slot].queue = .main
        nodes[slot].uses = 0
        main.append(slot, in: &nodes)
    }

    private mutating func leave(_ slot: Int) {
        switch nodes[slot].queue {
        case .small: small.remove(slot, in: &nodes)
        case .main: main.remove(slot, in: &nodes)
        case .none: preconditionFailure("Only a stored entry can leave its queue")
        }
        nodes[slot].queue = .none
    }

    package mutating func move(_ slot: Int, to new: Int) {
        if nodes[slot].queue == .small {
            small.move(slot, to: new, in: &nodes)
        } else {
            main.move(slot, to: new, in: &nodes)
        }
    }

    package mutating func shrink(to count: Int) {
        nodes.shrink(to: count)
        ghosts.fit(limit: ghostLimit)
    }

    package func validate() {
        small.validate(in: nodes)
        main.validate(in: nodes)
        ghosts.validate()
        precondition(ghosts.count <= ghostLimit, "More hashes than nine tenths of the entries")
        precondition(nodes.count { $0.queue == .small } == small.count, "A slot of another queue")
        precondition(nodes.count { $0.queue == .main } == main.count, "A slot of another queue")
        precondition(nodes.allSatisfy { $0.uses <= Self.mostUses }, "More uses than are counted")
    }
}
