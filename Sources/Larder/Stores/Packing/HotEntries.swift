/// A packed entry that was used lately, and the response that was unpacked from it.
final class HotEntry: Sendable {
    let packed: PackedEntry
    let entry: CacheEntry
    /// The place in the shard's list of hot entries.
    let cell: Int

    init(packed: PackedEntry, entry: CacheEntry, cell: Int) {
        self.packed = packed
        self.entry = entry
        self.cell = cell
    }
}

/// The slots whose entries are unpacked, so that a hit on one of them takes no longer than if nothing was packed. The
/// next one that is given up is the first that was not used since it was last examined (CLOCK).
struct HotEntries: Sendable {
    /// The slots; -1 if the cell is empty.
    private var slots: [Int32] = []
    private var wasUsed: [Bool] = []
    private var free: [Int] = []
    private var hand = 0
    /// The number of slots.
    private(set) var count = 0
    /// The memory in bytes that the unpacked responses take.
    private(set) var bytes = 0

    /// The memory in bytes that a hot entry takes beside the response.
    static let overhead = 64

    /// Adds a slot, and returns its cell.
    mutating func add(_ slot: Int, cost: Int) -> Int {
        let cell = free.popLast() ?? slots.count
        if cell == slots.count {
            slots.append(Int32(slot))
            wasUsed.append(false)
        } else {
            (slots[cell], wasUsed[cell]) = (Int32(slot), false)
        }
        count += 1
        bytes += cost
        return cell
    }

    /// Changes the slot of a cell.
    mutating func move(_ cell: Int, to slot: Int) { slots[cell] = Int32(slot) }

    /// Notes that an entry was found.
    mutating func use(_ cell: Int) { wasUsed[cell] = true }

    /// Removes the slot of a cell.
    mutating func remove(_ cell: Int, cost: Int) {
        slots[cell] = -1
        free.append(cell)
        count -= 1
        bytes -= cost
    }

    /// Returns the slot to pack next; nil if there is none. It stays in the list.
    mutating func victim() -> Int? {
        guard count > 0 else { return nil }
        while true {
            hand = hand + 1 < slots.count ? hand + 1 : 0
            guard slots[hand] >= 0 else { continue }
            guard wasUsed[hand] else { return Int(slots[hand]) }
            wasUsed[hand] = false
        }
    }
}
