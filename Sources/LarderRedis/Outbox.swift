import DequeModule
import Larder

/// The invalidations that Redis has not confirmed, and those that it may yet forget: what must go out before anything
/// that Redis keeps is trusted again (PROTOCOL, "When the ledger cannot be reached").
///
/// A value without clock or lock.
struct Outbox {
    /// Names a moment in the life of an outbox.
    typealias Turn = UInt64

    private var waiting: [Cover: Turn] = [:]
    private var delivered: Deque<(covers: [Cover], at: ContinuousClock.Instant)> = []
    private var deliveredCount = 0
    /// Until when more was delivered of late than is remembered.
    private var overflowedUntil: ContinuousClock.Instant?
    private(set) var turn: Turn = 0
    /// The most covers that wait, and the most that are remembered; beyond it they become one: everything.
    let limit: Int
    /// How long what was delivered is remembered.
    let memory: Duration

    init(limit: Int = 10_000, memory: Duration = .seconds(60)) {
        self.limit = limit
        self.memory = memory
    }

    /// The number of covers that wait.
    var count: Int { waiting.count }

    /// What waits.
    var covers: [Cover] { Array(waiting.keys) }

    /// Counts an invalidation, whatever becomes of it: what this process fetches while Redis is away is judged by it.
    mutating func begin() {
        turn += 1
    }

    /// An invalidation did not get through, or waits behind others that did not; the turn at which it waits.
    @discardableResult
    mutating func add(_ covers: [Cover]) -> Turn {
        turn += 1
        for cover in covers { waiting[cover] = turn }
        if waiting.count > limit { waiting = [.everything: turn] }
        return turn
    }

    /// Covers were stamped that went out at `turn`; what was added since waits on.
    mutating func deliver(_ covers: [Cover], sentAt turn: Turn, now: ContinuousClock.Instant) {
        for cover in covers where (waiting[cover] ?? .max) <= turn { waiting[cover] = nil }
        delivered.append((covers, now))
        deliveredCount += covers.count
        while let oldest = delivered.first, oldest.at + memory <= now { forget(oldest.covers) }
        guard deliveredCount > limit else { return }
        overflowedUntil = now + memory
        while let oldest = delivered.first, deliveredCount > limit { forget(oldest.covers) }
    }

    private mutating func forget(_ oldest: [Cover]) {
        deliveredCount -= oldest.count
        delivered.removeFirst()
    }

    /// What goes out to a server that was just met: all that waits, and all that was delivered of late.
    func replay(at now: ContinuousClock.Instant) -> [Cover] {
        if let overflowedUntil, now < overflowedUntil { return [.everything] }
        var covers = Set(waiting.keys)
        for batch in delivered where batch.at + memory > now { covers.formUnion(batch.covers) }
        return covers.contains(.everything) ? [.everything] : Array(covers)
    }

    /// Traps where the parts disagree; for tests.
    func validate() {
        precondition(waiting.count <= limit, "More waits than may")
        precondition(deliveredCount == delivered.reduce(0) { $0 + $1.covers.count }, "A wrong count of the delivered")
        precondition(deliveredCount <= limit, "More is remembered than may be")
        precondition(waiting.values.allSatisfy { $0 <= turn }, "An invalidation of the future")
    }
}
