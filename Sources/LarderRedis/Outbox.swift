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
    /// The memory that what waits takes.
    private var waitingCost = 0
    private var delivered: Deque<(covers: [Cover], at: ContinuousClock.Instant)> = []
    private var deliveredCount = 0
    /// Until when more was delivered of late than is remembered.
    private var overflowedUntil: ContinuousClock.Instant?
    private(set) var turn: Turn = 0
    /// The most covers that wait; beyond it they become one: everything.
    let limit: Int
    /// The most memory that what waits takes; beyond it, everything.
    let costLimit: ByteCount
    /// The most covers that are remembered after they were delivered.
    private var memoryLimit: Int { min(limit, 10_000) }
    /// How long what was delivered is remembered.
    let memory: Duration

    init(limit: Int = 100_000, costLimit: ByteCount = .mebibytes(16), memory: Duration = .seconds(60)) {
        self.limit = limit
        self.costLimit = costLimit
        self.memory = memory
    }

    /// The number of covers that wait.
    var count: Int { waiting.count }

    /// What waits.
    var covers: [Cover] { Array(waiting.keys) }

    /// Begins an invalidation: another turn, so that what waits by then is told from what is queued later.
    mutating func begin() {
        turn += 1
    }

    /// An invalidation did not get through, or waits behind others that did not; the turn at which it waits.
    @discardableResult
    mutating func add(_ covers: [Cover]) -> Turn {
        turn += 1
        for cover in covers where waiting.updateValue(turn, forKey: cover) == nil { waitingCost += cover.waitingCost }
        if waiting.count > limit || waitingCost > costLimit.bytes {
            waiting = [.everything: turn]
            waitingCost = Cover.everything.waitingCost
        }
        return turn
    }

    /// Covers were stamped that went out at `turn`; what was added since waits on.
    mutating func deliver(_ covers: [Cover], sentAt turn: Turn, now: ContinuousClock.Instant) {
        for cover in covers where (waiting[cover] ?? .max) <= turn {
            waiting[cover] = nil
            waitingCost -= cover.waitingCost
        }
        delivered.append((covers, now))
        deliveredCount += covers.count
        while let oldest = delivered.first, oldest.at + memory <= now { forget(oldest.covers) }
        guard deliveredCount > memoryLimit else { return }
        overflowedUntil = now + memory
        while let oldest = delivered.first, deliveredCount > memoryLimit { forget(oldest.covers) }
    }

    private mutating func forget(_ oldest: [Cover]) {
        deliveredCount -= oldest.count
        delivered.removeFirst()
    }

    /// Returns what goes out to a server that was just met: what waits, and what was delivered of late if `all` may
    /// have been lost.
    func replay(at now: ContinuousClock.Instant, all: Bool) -> [Cover] {
        guard all else { return covers }
        if let overflowedUntil, now < overflowedUntil { return [.everything] }
        var covers = Set(waiting.keys)
        for batch in delivered where batch.at + memory > now { covers.formUnion(batch.covers) }
        return covers.contains(.everything) ? [.everything] : Array(covers)
    }

    /// Traps where the parts disagree; for tests.
    func validate() {
        precondition(waiting.count <= max(1, limit), "More waits than may")
        precondition(waitingCost == waiting.keys.reduce(0) { $0 + $1.waitingCost }, "A wrong cost of what waits")
        precondition(deliveredCount == delivered.reduce(0) { $0 + $1.covers.count }, "A wrong count of the delivered")
        precondition(deliveredCount <= memoryLimit, "More is remembered than may be")
        precondition(waiting.values.allSatisfy { $0 <= turn }, "An invalidation of the future")
    }
}

extension Cover {
    /// The memory that an invalidation takes in an outbox: its text, and what a dictionary has for it, measured.
    fileprivate var waitingCost: Int {
        switch self {
        case .key(let key): 96 + key.description.utf8.count
        case .path(let path), .prefix(let path): 96 + path.description.utf8.count
        case .tag(let tag): 96 + tag.description.utf8.count
        case .everything: 96
        }
    }
}
