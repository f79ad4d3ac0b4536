import NIOConcurrencyHelpers

/// A promise of the response that the leader of a fetch waits for. The fetch goes on if the leader stops waiting.
final class LeaderPromise<Response: Sendable>: Sendable {
    /// A response, and the kind of miss that the request counts as.
    typealias Value = (response: Response, kind: CacheEvent.Miss)

    private enum State {
        case empty
        case waiting(CheckedContinuation<Value, any Error>)
        case completed(Result<Value, any Error>)
        /// The leader has its response, or has left.
        case over
    }

    private let state = NIOLockedValueBox(State.empty)

    /// Gives the leader its response, which counts as this kind of miss. Only the first call has an effect, and only
    /// while the leader waits.
    func succeed(_ response: Response, _ kind: CacheEvent.Miss = .led) {
        complete(.success((response: response, kind: kind)))
    }

    /// Gives the leader an error in place of a response.
    func fail(_ error: any Error) { complete(.failure(error)) }

    private func complete(_ result: Result<Value, any Error>) {
        let continuation: CheckedContinuation<Value, any Error>? = state.withLockedValue { state in
            switch state {
            case .empty:
                state = .completed(result)
                return nil
            case .waiting(let continuation):
                state = .over
                return continuation
            case .completed, .over: return nil
            }
        }
        continuation?.resume(with: result)
    }

    /// True if a response was given, or if the leader does not wait any more.
    var isCompleted: Bool {
        state.withLockedValue { state in
            switch state {
            case .empty, .waiting: false
            case .completed, .over: true
            }
        }
    }

    /// Waits for the response.
    /// - Throws: The origin's error, or `CancellationError` when the leader's task is cancelled.
    func value() async throws -> Value {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Value, any Error>? = state.withLockedValue { state in
                    switch state {
                    case .completed(let result):
                        state = .over
                        return result
                    case .empty where Task.isCancelled:
                        state = .over
                        return .failure(CancellationError())
                    case .empty:
                        state = .waiting(continuation)
                        return nil
                    case .waiting, .over: preconditionFailure("The response may be awaited only once")
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let continuation: CheckedContinuation<Value, any Error>? = state.withLockedValue { state in
                guard case .waiting(let continuation) = state else { return nil }
                state = .over
                return continuation
            }
            continuation?.resume(throwing: CancellationError())
        }
    }
}
