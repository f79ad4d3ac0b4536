import DequeModule
import NIOConcurrencyHelpers
import NIOCore

/// A record of whether the client that waits for a response is still connected.
///
/// The task that answers is cancelled if the client disconnects while the task waits for an origin. A request that does
/// not need an origin is answered anyway: a client may have closed its sending side only, and reads the response at
/// once.
///
/// The requests of a connection are answered one after the other, and numbered from 0.
final class ClientPresence: Sendable {
    private struct State {
        var task: Task<Void, Never>?
        /// The number of requests that the task has answered, which is the number of the request that it answers now.
        var answered = 0
        /// True if the request waits for an origin.
        var isWaiting = false
        /// The first request that the client does not wait for.
        var left: Int?

        var hasLeft: Bool { left.map { $0 <= answered } ?? false }

        /// The values that hold the memory of the responses that are being written, in the order of the responses.
        var holders: Deque<(any Sendable)?> = []

        /// The task to cancel now, if any.
        var cancelled: Task<Void, Never>? { isWaiting && hasLeft ? task : nil }
    }

    private let state = NIOLockedValueBox(State())

    /// True if the client does not wait for the response to the request that is being answered.
    var hasLeft: Bool { state.withLockedValue { $0.hasLeft } }

    /// Sets the task that answers the client's requests.
    func attach(_ task: Task<Void, Never>) { change { $0.task = task } }

    /// Cancels the calling task, which answers the client, when the client disconnects, or at once if it has
    /// disconnected.
    func watch() {
        let hasLeft = state.withLockedValue { state in
            state.isWaiting = true
            return state.hasLeft
        }
        if hasLeft { withUnsafeCurrentTask { $0?.cancel() } }
    }

    /// Notes that a request is answered.
    func noteAnswered() {
        state.withLockedValue { state in
            state.isWaiting = false
            state.answered += 1
        }
    }

    /// Retains the value that holds the memory of the next response until ``takeHolder()`` is called for it.
    func hold(_ holder: (any Sendable)?) { state.withLockedValue { $0.holders.append(holder) } }

    /// Returns the value that holds the memory of the response whose end is being written; nil if there is none.
    func takeHolder() -> (any Sendable)? { state.withLockedValue { $0.holders.popFirst() ?? nil } }

    /// Returns a promise for the end of a response, which retains the value that holds the memory of the response until
    /// its last byte is sent.
    func holding(_ promise: EventLoopPromise<Void>?, on loop: any EventLoop) -> EventLoopPromise<Void>? {
        guard let holder = takeHolder() else { return promise }
        let sent = promise ?? loop.makePromise()
        sent.futureResult.whenComplete { _ in withExtendedLifetime(holder) {} }
        return sent
    }

    /// Notes that the client has disconnected.
    /// - Parameter first: The number of the first request whose response the client does not wait for.
    func leave(from first: Int = 0) { change { $0.left = min($0.left ?? first, first) } }

    private func change(_ body: (inout State) -> Void) {
        let cancelled = state.withLockedValue { state in
            body(&state)
            return state.cancelled
        }
        cancelled?.cancel()
    }
}
