/// Keeps a server that does not answer in time from slowing those who ask: after some failures in a row nobody asks it,
/// but for one probe at a time, for which no request waits.
///
/// A value without clock or lock. Only what says that the server cannot be reached in time is a failure; its refusals
/// are answers. A thousand requests that wait at the same time fail at the same time, and tell no more than one of
/// them: so the row has to last for a while as well, in which not one answer came in time.
struct Breaker {
    enum State: Hashable {
        /// Everybody may ask; so many failed in a row, the first of them then.
        case closed(failures: Int, since: ContinuousClock.Instant?)
        /// Nobody may, until then.
        case open(until: ContinuousClock.Instant)
        /// A probe is under way.
        case probing
    }

    /// A change worth a line in the log.
    enum Change: Hashable {
        case none, opened, closed
    }

    private(set) var state = State.closed(failures: 0, since: nil)
    /// The failures in a row that open it.
    let threshold: Int
    /// How long the row lasts at least.
    let span: Duration
    /// How long nobody asks.
    let pause: Duration

    /// Whether it lets everybody through.
    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Begins a probe if it is time for one. The caller reports what became of it.
    mutating func probes(at now: ContinuousClock.Instant) -> Bool {
        guard case .open(let until) = state, now >= until else { return false }
        state = .probing
        return true
    }

    /// The server answered.
    mutating func succeeded() -> Change {
        defer { state = .closed(failures: 0, since: nil) }
        return isClosed ? .none : .closed
    }

    /// The server did not answer a request in time, or cannot be reached.
    mutating func failed(at now: ContinuousClock.Instant) -> Change {
        guard case .closed(let failures, let since) = state else { return .none }
        if failures + 1 < threshold || now < (since ?? now) + span {
            state = .closed(failures: failures + 1, since: since ?? now)
            return .none
        }
        state = .open(until: now + pause)
        return .opened
    }

    /// The server did not answer a probe.
    mutating func probeFailed(at now: ContinuousClock.Instant) {
        if state == .probing { state = .open(until: now + pause) }
    }
}
