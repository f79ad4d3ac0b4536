import HTTPCaching

/// The availability of an origin, according to its last requests, and the record of what the log says about it.
///
/// An origin is *down* after one failure to reach it at all, or after several failures in a row to get a response from
/// it. It is up again with the next response. A change is logged once, and each failure that changes nothing is logged
/// at most once per ``reminderInterval``, with the number of failures that were not logged. If an origin goes up and
/// down constantly (because one of two machines with the same name is down), its first ``burst`` changes are logged,
/// then one per ``reminderInterval``.
struct OriginState: Sendable {
    /// The number of failures in a row after which an origin is down although it could be reached.
    static let failureLimit = 3
    /// The shortest time between two log lines about failures that change nothing: 10 seconds.
    static let reminderInterval = Duration.seconds(10)
    /// The number of changes that are logged however fast they follow each other.
    static let burst = 6

    /// The meaning of a failure for the origin's state.
    enum Failure: Sendable {
        /// The origin cannot be reached.
        case unreachable
        /// The origin was reached, or may have been, and did not respond.
        case noResponse
        /// The failure does not concern the origin as a whole: the gateway did not have a free connection, or one body
        /// broke off.
        case other
    }

    /// The action of the log.
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
    /// True if the origin is down according to the log.
    private var isLoggedDown = false
    private var failuresInRow = 0
    private var unlogged = 0
    private var downSince: Timestamp?
    /// The time at which a failure was logged last.
    private var loggedAt: Timestamp?
    private var changesLeft = burst
    private var refilledAt = Timestamp.distantPast

    /// Notes a failure, and returns the action of the log.
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

    /// Notes a response, and returns the action of the log.
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
