/// The invalidations that wait for their acknowledgement, by the turn of the outbox at which they were queued.
///
/// A value without clock or lock.
struct AcknowledgementQueue<Waiter: Sendable>: Sendable {
    /// What was queued until this turn is delivered.
    private(set) var confirmed: Outbox.Turn = 0
    private var waiters: [UInt64: (turn: Outbox.Turn, waiter: Waiter)] = [:]

    /// The number of invalidations that wait.
    var count: Int { waiters.count }

    /// Waits until everything that was queued until `turn` is delivered.
    /// - Returns: whether there is something to wait for; false if it is delivered already.
    mutating func wait(_ id: UInt64, for turn: Outbox.Turn, _ waiter: Waiter) -> Bool {
        guard turn > confirmed else { return false }
        waiters[id] = (turn, waiter)
        return true
    }

    /// Notes that everything queued until `turn` is delivered, and returns those who have waited for it.
    mutating func confirm(through turn: Outbox.Turn) -> [Waiter] {
        guard turn > confirmed else { return [] }
        confirmed = turn
        let done = waiters.filter { $0.value.turn <= turn }
        for id in done.keys { waiters[id] = nil }
        return done.values.map(\.waiter)
    }

    /// Lets everybody go; nothing will be delivered any more.
    mutating func removeAll() -> [Waiter] {
        defer { waiters = [:] }
        return waiters.values.map(\.waiter)
    }

    /// Stops waiting; nil if it does not wait any more.
    mutating func leave(_ id: UInt64) -> Waiter? { waiters.removeValue(forKey: id)?.waiter }
}
