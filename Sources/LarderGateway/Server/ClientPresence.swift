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

        /// The responses that are about to be written, in their order.
        var responses: Deque<PendingResponse> = []

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

    /// Notes a response that is about to be written, until ``takeResponse()`` is called for it.
    func expect(_ response: PendingResponse) { state.withLockedValue { $0.responses.append(response) } }

    /// Returns the response whose head is being written; nil if it was not noted.
    func takeResponse() -> PendingResponse? { state.withLockedValue { $0.responses.popFirst() } }

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

/// A response that is being written, with what is needed until its last byte is sent.
struct PendingResponse: Sendable {
    /// The value that holds the memory of the body.
    var holder: (any Sendable)?
    /// The record of the request, which is completed then.
    var record: OpenRecord?
    /// Called then, also if the response is lost with its connection.
    var onEnd: (@Sendable () -> Void)?

    /// Returns a promise for the end of the response.
    func ending(_ promise: EventLoopPromise<Void>?, on loop: any EventLoop) -> EventLoopPromise<Void>? {
        let sent = promise ?? loop.makePromise()
        sent.futureResult.whenComplete { _ in
            record?.complete()
            onEnd?()
            withExtendedLifetime(holder) {}
        }
        return sent
    }
}
