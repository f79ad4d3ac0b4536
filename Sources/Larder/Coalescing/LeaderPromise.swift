import NIOConcurrencyHelpers

/// The place where the request that leads a fetch waits for its response. The fetch goes on when the request leaves.
final class LeaderPromise<Response: Sendable>: Sendable {
    /// A response, and the kind of miss that the request counts as.
    typealias Answer = (response: Response, kind: CacheEvent.Miss)

    private enum State {
        case empty
        case waiting(CheckedContinuation<Answer, any Error>)
        case given(Result<Answer, any Error>)
        case over
    }

    private let state = NIOLockedValueBox(State.empty)

    /// Gives the leader its response. Only the first one counts, and none after the leader has left.
    func give(_ result: Result<Response, any Error>, _ kind: CacheEvent.Miss = .led) {
        let result = result.map { (response: $0, kind: kind) }
        let continuation: CheckedContinuation<Answer, any Error>? = state.withLockedValue { state in
            switch state {
            case .empty:
                state = .given(result)
                return nil
            case .waiting(let continuation):
                state = .over
                return continuation
            case .given, .over: return nil
            }
        }
        continuation?.resume(with: result)
    }

    /// True if a response was given, or if the leader does not wait any more.
    var isServed: Bool {
        state.withLockedValue { state in
            switch state {
            case .empty, .waiting: false
            case .given, .over: true
            }
        }
    }

    /// Waits for the response.
    /// - Throws: The origin's error, or `CancellationError` when the leader's task is cancelled.
    func wait() async throws -> Answer {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Answer, any Error>? = state.withLockedValue { state in
                    switch state {
                    case .given(let result):
                        state = .over
                        return result
                    case .empty where Task.isCancelled:
                        state = .over
                        return .failure(CancellationError())
                    case .empty:
                        state = .waiting(continuation)
                        return nil
                    case .waiting, .over: preconditionFailure("A seat is waited at once")
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let continuation: CheckedContinuation<Answer, any Error>? = state.withLockedValue { state in
                guard case .waiting(let continuation) = state else { return nil }
                state = .over
                return continuation
            }
            continuation?.resume(throwing: CancellationError())
        }
    }
}
