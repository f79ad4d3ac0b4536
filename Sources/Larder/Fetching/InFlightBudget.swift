import Synchronization

/// A limit on the memory of bodies that are in flight and not stored, shared by all objects that hold such bytes.
///
/// A body without room in the budget is handled like one that is not stored: the origin writes it as fast as its reader
/// reads.
package final class InFlightBudget: Sendable {
    private let currentLimit: Atomic<Int>
    private let taken = Atomic<Int>(0)
    private let tightAction = Mutex<(@Sendable () -> Void)?>(nil)

    package init(limit: ByteCount) { self.currentLimit = Atomic(limit.bytes) }

    /// The most bytes that can be taken at a time.
    package var limit: Int { currentLimit.load(ordering: .relaxed) }

    /// Changes the limit. Bytes that are taken remain taken, even if they are more than the limit.
    package func setLimit(_ limit: ByteCount) { currentLimit.store(limit.bytes, ordering: .relaxed) }

    /// The bytes that are taken now.
    package var used: Int { taken.load(ordering: .relaxed) }

    /// Sets the action that is called whenever bytes are wanted and more than three quarters of the limit are taken. It
    /// is called with locks held, so it must return at once.
    package func onTight(_ action: @escaping @Sendable () -> Void) { tightAction.withLock { $0 = action } }

    private func noteTightness(_ used: Int) {
        let limit = limit
        if used > limit - limit / 4 { tightAction.withLock { $0 }?() }
    }

    /// Takes bytes, unless they are more than what is left.
    /// - Returns: True if they were taken.
    package func take(_ bytes: Int) -> Bool {
        guard bytes > 0 else { return true }
        let limit = limit
        var current = used
        while bytes <= limit, current <= limit - bytes {
            let (exchanged, original) = taken.compareExchange(
                expected: current,
                desired: current + bytes,
                ordering: .relaxed
            )
            if exchanged {
                noteTightness(current + bytes)
                return true
            }
            current = original
        }
        noteTightness(current + bytes)
        return false
    }

    /// Returns true if bytes could be taken.
    package func hasRoom(for bytes: Int) -> Bool {
        let (used, limit) = (used, limit)
        noteTightness(used + bytes)
        return bytes <= limit && used <= limit - bytes
    }

    /// Takes bytes that are held already, even if they are more than what is left.
    package func charge(_ bytes: Int) { noteTightness(taken.add(bytes, ordering: .relaxed).newValue) }

    /// Gives back bytes that were taken.
    package func give(_ bytes: Int) {
        let (_, rest) = taken.subtract(bytes, ordering: .relaxed)
        assert(rest >= 0, "More was given back than was taken")
        // The number of taken bytes never falls below zero, so that the limit holds after a miscount.
        if rest < 0 { taken.subtract(rest, ordering: .relaxed) }
    }
}
