import HTTPCaching
import Logging
import NIOConcurrencyHelpers

/// Warns once about a cache that answers requests while nothing runs its service.
///
/// A cache without its service works in part: a Redis store never connects, and a memory store removes expired
/// responses only when their space is needed. Responses do not show the cause.
struct ServiceReminder: Sendable {
    /// The time after the first request that missed, within which the service has to be started. An application opens
    /// its port and starts its services at the same time.
    static let grace = Duration.seconds(1)

    private enum State {
        /// No request has missed yet.
        case unused
        /// A request missed at this time, and the service was not running.
        case waiting(since: Timestamp)
        /// The service was started, or the warning was given.
        case done
    }

    private let state = NIOLockedValueBox(State.unused)

    /// Notes that the service was started.
    func serviceStarted() {
        state.withLockedValue { $0 = .done }
    }

    /// Logs the warning if it is due. Called for requests that the memory of this process does not answer.
    func check(at now: Timestamp, _ logger: Logger) {
        let isDue = state.withLockedValue { state in
            switch state {
            case .unused: state = .waiting(since: now)
            case .waiting(let start) where now.duration(since: start) >= Self.grace: state = .done
            case .waiting, .done: return false
            }
            if case .done = state { return true }
            return false
        }
        guard isDue else { return }
        logger.warning(
            """
            The response cache answers requests, but its service was not started: a Redis store does not \
            connect, and expired responses are not removed in the background. Add the cache to the services of the \
            application: app.addServices(cache)
            """
        )
    }
}
