/// Greedy-Dual-Size-Frequency with lazy promotion ("LGDSF"): an entry is worth more the more often it is used and the
/// fewer bytes it takes.
///
/// More requests are found with it than with ``S3FIFOPolicy`` if sizes vary widely, but fewer bytes: large entries are
/// evicted early. Entries are in up to 64 queues by the power of two of uses for each byte. An entry gets a priority
/// when it enters a queue: the worth of its queue, plus the priority of the last evicted entry, by which entries age.
/// So a queue is ordered by priority, and the lowest priority of all is that of one of the oldest entries. Uses only
/// count; the entry moves when its turn comes.
///
/// L. Cherkasova: Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching policy, HP Laboratories
/// 1998. S. Ghandeharizadeh, S. Irani, J. Lam, J. Yap: CAMP, a cost adaptive multi-queue eviction policy for key-value
/// stores, Middleware 2014.
package struct SizeAndFrequencyPolicy: EvictionPolicy {
    private struct Node: QueuedSlot {
        var hash: UInt64 = 0
        var older: Int32 = -1
        var newer: Int32 = -1
        var priority = 0.0
        var cost: UInt32 = 0
        /// The uses that have been counted into the priority, 1 to 255.
        var uses: UInt8 = 1
        /// The uses since then.
        var newUses: UInt8 = 0
        /// The queue; -1 if the slot is in none.
        var queue: Int8 = -1
    }

    /// The number of uses that a new entry counts for.
    private static let firstUse = 0.25
    /// The power of two, of uses for each byte, of the queue 0.
    private static let lowestExponent = -32

    private var nodes: [Node] = []
    private var queues = Array(repeating: SlotQueue<Node>(), count: 64)
    /// A bit for each queue that is not empty.
    private var occupied: UInt64 = 0
    private var ghosts = GhostQueue()
    /// The highest priority of an evicted entry.
    private var lastPriority = 0.0
    package private(set) var count = 0
    package private(set) var bytes = 0

    package init(capacity: Int) {}

    /// The number of hashes of evicted entries.
    var ghostCount: Int { ghosts.count }

    package func hash(of slot: Int) -> UInt64 { nodes[slot].hash }
    package func cost(of slot: Int) -> Int { Int(nodes[slot].cost) }

    package mutating func recall(_ hash: UInt64) -> Bool { ghosts.take(hash) }

    package mutating func insert(_ slot: Int, cost: Int, hash: UInt64, isRecalled: Bool) {
        while nodes.count <= slot { nodes.append(Node()) }
        precondition(nodes[slot].queue < 0, "A slot is in one queue")
        nodes[slot] = Node(hash: hash, cost: UInt32(cost), uses: isRecalled ? 2 : 1)
        count += 1
        bytes += cost
        enter(slot, uses: isRecalled ? 2 : Self.firstUse)
    }

    package mutating func hit(_ slot: Int) {
        if nodes[slot].newUses < .max { nodes[slot].newUses += 1 }
    }

    package mutating func resize(_ slot: Int, to cost: Int) {
        let difference = cost - Int(nodes[slot].cost)
        nodes[slot].cost = UInt32(cost)
        bytes += difference
        queues[Int(nodes[slot].queue)].adjust(by: difference)
    }

    package mutating func evict(newUses: (Int) -> Int, isExpired: (Int) -> Bool) -> Int? {
        var scanned = 0
        while let slot = lowest {
            lastPriority = max(lastPriority, nodes[slot].priority)
            nodes[slot].newUses = UInt8(min(Int(UInt8.max), Int(nodes[slot].newUses) + newUses(slot)))
            if scanned >= evictionScanLimit || nodes[slot].newUses == 0 || isExpired(slot) {
                remove(slot, isExpired: true)
                return slot
            }
            scanned += 1
            leave(slot)
            let (uses, overflow) = nodes[slot].uses.addingReportingOverflow(nodes[slot].newUses)
            nodes[slot].uses = overflow ? .max : uses
            nodes[slot].newUses = 0
            enter(slot, uses: Double(nodes[slot].uses))
        }
        return nil
    }

    package mutating func remove(_ slot: Int, isExpired: Bool) {
        leave(slot)
        count -= 1
        bytes -= Int(nodes[slot].cost)
        if isExpired { ghosts.insert(nodes[slot].hash, limit: ghostLimit) } else { ghosts.trim(to: ghostLimit) }
    }

    private var ghostLimit: Int { count * 9 / 10 }

    /// The slot with the lowest priority; nil if there are no entries.
    private var lowest: Int? {
        var (found, priority) = (-1, Double.infinity)
        var left = occupied
        while left != 0 {
            let oldest = Int(queues[left.trailingZeroBitCount].oldest)
            if nodes[oldest].priority < priority { (found, priority) = (oldest, nodes[oldest].priority) }
            left &= left - 1
        }
        return found < 0 ? nil : found
    }

    private mutating func enter(_ slot: Int, uses: Double) {
        let exponent = Int((uses / Double(max(1, nodes[slot].cost))).exponent)
        let queue = min(max(exponent - Self.lowestExponent, 0), 63)
        // The middle of the worths of the queue's entries.
        let worth = Double(sign: .plus, exponent: queue + Self.lowestExponent, significand: 2.0.squareRoot())
        nodes[slot].priority = lastPriority + worth
        nodes[slot].queue = Int8(queue)
        queues[queue].append(slot, in: &nodes)
        occupied |= 1 << UInt64(queue)
    }

    private mutating func leave(_ slot: Int) {
        let queue = Int(nodes[slot].queue)
        precondition(queue >= 0, "Only a stored entry can leave its queue")
        queues[queue].remove(slot, in: &nodes)
        if queues[queue].isEmpty { occupied &= ~(1 << UInt64(queue)) }
        nodes[slot].queue = -1
    }

    package mutating func move(_ slot: Int, to new: Int) {
        queues[Int(nodes[slot].queue)].move(slot, to: new, in: &nodes)
    }

    package mutating func shrink(to count: Int) {
        nodes.shrink(to: count)
        ghosts.fit(limit: ghostLimit)
    }

    package func validate() {
        for (number, queue) in queues.enumerated() {
            queue.validate(in: nodes)
            precondition(queue.isEmpty == (occupied & 1 << UInt64(number) == 0), "A queue that is not examined")
        }
        ghosts.validate()
        precondition(ghosts.count <= ghostLimit, "More hashes than nine tenths of the entries")
        precondition(queues.reduce(0) { $0 + $1.count } == count, "A lost entry")
        precondition(queues.reduce(0) { $0 + $1.bytes } == bytes, "The bytes do not add up")
        precondition(nodes.count { $0.queue >= 0 } == count, "A slot of no queue")
    }
}
