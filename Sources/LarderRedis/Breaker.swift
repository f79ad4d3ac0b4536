/// A circuit breaker that spares requests the wait for a server that does not answer in time: after some failures in a
/// row requests do not ask it. Only one probe at a time does, for which no request waits.
///
/// A value without a clock or a lock. Only errors that show that the server cannot be reached in time are failures; an
/// error reply is an answer. If a thousand requests wait at the same time, they fail at the same time, and show no more
/// than one of them would. So the failures in a row also have to span some time, without an answer in time between
/// them.
struct Breaker {
    enum State: Hashable {
        /// Requests may ask. This many have failed in a row, the first of them at `since`.
        case closed(failures: Int, since: ContinuousClock.Instant?)
        /// Requests may not ask until this time.
        case open(until: ContinuousClock.Instant)
        /// A probe is under way.
        case probing
    }

    /// A change that is worth a line in the log.
    enum Change: Hashable {
        case none, opened, closed
    }

    private(set) var state = State.closed(failures: 0, since: nil)
    /// The number of failures in a row that opens the breaker.
    let threshold: Int
    /// The shortest time that the failures in a row have to span.
    let span: Duration
    /// The time for which the server is not asked.
    let pause: Duration

    /// True if requests may ask the server.
    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Begins a probe and returns true if it is time for one. The caller reports the result.
    mutating func beginProbe(at now: ContinuousClock.Instant) -> Bool {
        guard case .open(let until) = state, now >= until else { return false }
        state = .probing
        return true
    }

    /// Records that the server answered.
    mutating func succeeded() -> Change {
        defer { state = .closed(failures: 0, since: nil) }
        return isClosed ? .none : .closed
    }

    /// Records that the server did not answer a request in time, or cannot be reached.
    mutating func failed(at now: ContinuousClock.Instant) -> Change {
        guard case .closed(let failures, let since) = state else { return .none }
        if failures + 1 < threshold || now < (since ?? now) + span {
            state = .closed(failures: failures + 1, since: since ?? now)
            return .none
        }
        state = .open(until: now + pause)
        return .opened
    }

    /// Records that the server did not answer a probe.
    mutating func probeFailed(at now: ContinuousClock.Instant) {
        if state == .probing { state = .open(until: now + pause) }
    }
}
