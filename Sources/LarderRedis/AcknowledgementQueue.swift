/// The invalidations that wait for their acknowledgement, by the turn of the outbox at which they were queued.
///
/// A value without a clock or a lock.
struct AcknowledgementQueue<Waiter: Sendable>: Sendable {
    /// The turn up to which everything that was queued has been delivered.
    private(set) var confirmed: Outbox.Turn = 0
    private var waiters: [UInt64: (turn: Outbox.Turn, waiter: Waiter)] = [:]

    /// The number of invalidations that wait.
    var count: Int { waiters.count }

    /// Adds a waiter for the delivery of everything that was queued up to `turn`.
    /// - Returns: True if there is something to wait for; false if it has been delivered already.
    mutating func wait(_ id: UInt64, for turn: Outbox.Turn, _ waiter: Waiter) -> Bool {
        guard turn > confirmed else { return false }
        waiters[id] = (turn, waiter)
        return true
    }

    /// Records that everything queued up to `turn` has been delivered, and returns the waiters for it.
    mutating func confirm(through turn: Outbox.Turn) -> [Waiter] {
        guard turn > confirmed else { return [] }
        confirmed = turn
        let done = waiters.filter { $0.value.turn <= turn }
        for id in done.keys { waiters[id] = nil }
        return done.values.map(\.waiter)
    }

    /// Removes and returns all waiters, because nothing will be delivered any more.
    mutating func removeAll() -> [Waiter] {
        defer { waiters = [:] }
        return waiters.values.map(\.waiter)
    }

    /// Removes and returns a waiter; returns nil if it no longer waits.
    mutating func leave(_ id: UInt64) -> Waiter? { waiters.removeValue(forKey: id)?.waiter }
}
