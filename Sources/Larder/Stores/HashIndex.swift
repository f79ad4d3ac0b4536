/// An index of slots, or of places in another table, by hashes: a table of open addressing, which takes 4 bytes for
/// each cell. The hashes themselves are where the slots are: the functions get them from there.
struct HashIndex: Sendable {
    /// The slots, plus one; 0 if the cell is empty.
    private var cells: [UInt32] = []
    private(set) var count = 0

    /// The memory in bytes that the table takes.
    var allocatedBytes: Int { cells.capacity * 4 }

    /// The slots, in no order; for tests.
    var slots: [Int] { cells.filter { $0 != 0 }.map { Int($0) - 1 } }

    private func home(of hash: UInt64) -> Int {
        // The last two bits are not part of the fingerprint of a key, and the upper half chooses the shard.
        Int(UInt32(truncatingIfNeeded: hash) >> 2) & (cells.count - 1)
    }

    /// Returns the first slot that belongs to a hash and for which a function returns true. The function is called with
    /// other slots, too.
    func first(of hash: UInt64, where isWanted: (Int) -> Bool) -> Int? {
        guard count > 0 else { return nil }
        var cell = home(of: hash)
        while cells[cell] != 0 {
            let slot = Int(cells[cell]) - 1
            if isWanted(slot) { return slot }
            cell = (cell + 1) & (cells.count - 1)
        }
        return nil
    }

    /// Adds a slot.
    /// - Parameter hash: Returns the hash of a slot.
    mutating func insert(_ slot: Int, hash: (Int) -> UInt64) {
        if (count + 1) * 5 > cells.count * 4 { rehash(max(16, 2 * cells.count), hash) }
        register(slot, hash(slot))
        count += 1
    }

    /// Removes a slot.
    mutating func remove(_ slot: Int, hash: (Int) -> UInt64) {
        let mask = cells.count - 1
        var gap = home(of: hash(slot))
        while Int(cells[gap]) - 1 != slot {
            precondition(cells[gap] != 0, "Only a slot in the index can be removed")
            gap = (gap + 1) & mask
        }
        // Moves those after it back that belong before the gap.
        var cell = (gap + 1) & mask
        while cells[cell] != 0 {
            if (cell - home(of: hash(Int(cells[cell]) - 1))) & mask >= (cell - gap) & mask {
                cells[gap] = cells[cell]
                gap = cell
            }
            cell = (cell + 1) & mask
        }
        cells[gap] = 0
        count -= 1
        // The table becomes smaller as it grows, by all at once.
        if cells.count > 1_024, count * 8 < cells.count { rehash(cells.count / 4, hash) }
    }

    /// Changes the number of a slot.
    mutating func move(_ slot: Int, to new: Int, hash: UInt64) {
        var cell = home(of: hash)
        while Int(cells[cell]) - 1 != slot {
            precondition(cells[cell] != 0, "Only a slot in the index can be moved")
            cell = (cell + 1) & (cells.count - 1)
        }
        cells[cell] = UInt32(new + 1)
    }

    private mutating func register(_ slot: Int, _ hash: UInt64) {
        var cell = home(of: hash)
        while cells[cell] != 0 { cell = (cell + 1) & (cells.count - 1) }
        cells[cell] = UInt32(slot + 1)
    }

    private mutating func rehash(_ size: Int, _ hash: (Int) -> UInt64) {
        let old = cells
        cells = Array(repeating: 0, count: size)
        for cell in old where cell != 0 { register(Int(cell) - 1, hash(Int(cell) - 1)) }
    }

    /// Traps if a slot is not where its hash leads; for tests.
    func validate(hash: (Int) -> UInt64) {
        var seen = 0
        for slot in slots {
            precondition(first(of: hash(slot)) { $0 == slot } == slot, "A slot that is not found")
            seen += 1
        }
        precondition(seen == count, "A lost slot")
    }
}
