/// The slots of a shard, small integers that its tables know entries by.
///
/// Slots that are not in use are in a list, so that each of them can be taken from it. When many are, the entries of
/// the last slots move into them, and the array becomes shorter.
struct SlotTable: Sendable {
    private var slots: [MemoryShard.Slot] = []
    /// The first slot of the list; -1 if there is none. A slot in the list has the next one, plus one, in `run`, and
    /// the previous one, plus one, in `checkedAt`.
    private var firstFree = -1
    private(set) var freeCount = 0
    /// The largest number of slots since the array was allocated.
    private var touched = 0

    /// The number of slots, in use or not.
    var count: Int { slots.count }
    var indices: Range<Int> { slots.indices }

    /// The number of slots that take memory and are not in use.
    var unusedCount: Int { touched - slots.count + freeCount }

    /// The slot that ``allocate()`` returns next.
    var next: Int { firstFree >= 0 ? firstFree : slots.count }

    /// True if so many slots are not in use that the array should become shorter.
    var isSparse: Bool { freeCount > 64 && freeCount > slots.count / 16 }

    subscript(place: Int) -> MemoryShard.Slot {
        get { slots[place] }
        _modify { yield &slots[place] }
    }

    /// Returns an empty slot.
    mutating func allocate() -> Int {
        guard firstFree >= 0 else {
            slots.append(MemoryShard.Slot())
            touched = max(touched, slots.count)
            return slots.count - 1
        }
        let place = firstFree
        leaveFree(place)
        slots[place] = MemoryShard.Slot()
        return place
    }

    /// Notes that a slot is not in use any more.
    mutating func release(_ place: Int) {
        slots[place] = MemoryShard.Slot(run: ScopeIndex.Run(firstFree + 1))
        if firstFree >= 0 { slots[firstFree].checkedAt = UInt64(place + 1) }
        firstFree = place
        freeCount += 1
    }

    private mutating func leaveFree(_ place: Int) {
        let (next, previous) = (Int(slots[place].run) - 1, Int(slots[place].checkedAt) - 1)
        if previous < 0 { firstFree = next } else { slots[previous].run = ScopeIndex.Run(next + 1) }
        if next >= 0 { slots[next].checkedAt = UInt64(previous + 1) }
        freeCount -= 1
    }

    /// Removes the last slot, if it is not in use.
    mutating func removeLastIfFree() -> Bool {
        guard let last = slots.last, case .none = last.content else { return false }
        leaveFree(slots.count - 1)
        slots.removeLast()
        return true
    }

    /// Gives back the memory of removed slots, if it is an eighth of the array: all at once, as an array grows. Returns
    /// true if it did.
    mutating func giveBack() -> Bool {
        guard slots.count < touched / 8 * 7 else { return false }
        slots = slots.fitted
        touched = slots.count
        return true
    }

    /// Traps if the list is broken; for tests.
    func validate() {
        var (previous, place, seen) = (-1, firstFree, 0)
        while place >= 0 {
            precondition(Int(slots[place].checkedAt) - 1 == previous, "A broken link")
            seen += 1
            precondition(seen <= freeCount, "A ring where a list should be")
            (previous, place) = (place, Int(slots[place].run) - 1)
        }
        precondition(seen == freeCount && touched >= slots.count, "A lost slot")
    }
}
