import DequeModule

/// The versions of the invalidations whose entries have not all been removed from a store yet.
struct PendingRemovals: Sendable {
    /// The versions whose removal was begun, in order, from the oldest unfinished one.
    private var begun: Deque<UInt64> = []
    /// The versions among them whose removal is finished.
    private var finished: Set<UInt64> = []

    /// The oldest version whose removal is unfinished; nil if all are finished.
    var oldest: UInt64? { begun.first }

    /// Begins the removal for an invalidation, which is newer than all others.
    mutating func begin(_ number: UInt64) {
        precondition(begun.last.map { $0 < number } ?? true, "Invalidations are numbered in order")
        begun.append(number)
    }

    /// Finishes the removal for an invalidation that was begun.
    mutating func finish(_ number: UInt64) {
        finished.insert(number)
        while let first = begun.first, finished.remove(first) != nil { begun.removeFirst() }
    }

    /// Traps if the parts disagree; for tests.
    func validate() {
        precondition(finished.isSubset(of: begun), "A removal finished that was not begun")
        precondition(begun.first.map { !finished.contains($0) } ?? true, "A finished removal counts as unfinished")
    }
}
