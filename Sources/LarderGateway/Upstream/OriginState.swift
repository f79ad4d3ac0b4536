import HTTPCaching

/// Whether an origin answers, as its last requests tell, and what the log says about that.
///
/// An origin is *down* after one failure to reach it at all, or after several failures in a row to get a response from
/// it; it is up again with the next response. A change is logged once, and each failure that changes nothing is logged
/// at most once per ``reminderInterval``, with the number of those that were left out. An origin that goes up and down
/// all the time (one of two machines behind a name is dead) has its first ``burst`` changes logged, then one per
/// ``reminderInterval``.
struct OriginState: Sendable {
    /// The failures in a row that make an origin down, if it could be reached.
    static let failureLimit = 3
    /// The least time between two log lines about failures that change nothing.
    static let reminderInterval = Duration.seconds(10)
    /// The changes that are logged however fast they follow each other.
    static let burst = 6

    /// What a failure says about the origin.
    enum Failure: Sendable {
        /// It cannot be reached.
        case unreachable
        /// It was reached, or may have been, and gave no response.
        case noResponse
        /// It says nothing about the origin as a whole: the gateway had no connection left, or one body broke off.
        case other
    }

    /// What is to be logged.
    enum Action: Hashable, Sendable {
        case nothing
        /// The origin is down as of now. `unlogged` failures were not logged since the last line.
        case logDown(unlogged: Int)
        /// The origin is up again.
        case logUp(downFor: Duration, failures: Int)
        /// A request failed, which changes nothing.
        case logFailure(unlogged: Int)
    }

    private(set) var isDown = false
    /// What the log said last.
    private var isLoggedDown = false
    private var failuresInRow = 0
    private var unlogged = 0
    private var downSince: Timestamp?
    /// When a failure was logged last.
    private var loggedAt: Timestamp?
    private var changesLeft = burst
    private var refilledAt = Timestamp.distantPast

    /// Takes a failure in.
    mutating func failed(_ failure: Failure, at now: Timestamp) -> Action {
        switch failure {
        case .unreachable:
            failuresInRow += 1
            isDown = true
        case .noResponse:
            failuresInRow += 1
            isDown = isDown || failuresInRow >= Self.failureLimit
        case .other: break
        }
        if isDown { downSince = downSince ?? now }
        if isDown, !isLoggedDown, takeChange(at: now) {
            isLoggedDown = true
            return .logDown(unlogged: logging(at: now))
        }
        if let loggedAt, now.duration(since: loggedAt) < Self.reminderInterval {
            unlogged += 1
            return .nothing
        }
        return .logFailure(unlogged: logging(at: now))
    }

    /// Takes a response in.
    mutating func answered(at now: Timestamp) -> Action {
        let (failures, since) = (failuresInRow, downSince)
        isDown = false
        failuresInRow = 0
        downSince = nil
        guard isLoggedDown, takeChange(at: now) else { return .nothing }
        isLoggedDown = false
        return .logUp(downFor: since.map(now.duration(since:)) ?? .zero, failures: failures)
    }

    private mutating func logging(at now: Timestamp) -> Int {
        defer { (unlogged, loggedAt) = (0, now) }
        return unlogged
    }

    private mutating func takeChange(at now: Timestamp) -> Bool {
        let intervals = now.duration(since: refilledAt) / Self.reminderInterval
        if intervals >= 1 {
            changesLeft = min(Self.burst, changesLeft + Int(min(intervals, Double(Self.burst))))
            refilledAt = now
        }
        guard changesLeft > 0 else { return false }
        changesLeft -= 1
        return true
    }
}
