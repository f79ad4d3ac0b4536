import Synchronization

/// The state of a batch that two threads share: the one that sends it, and the one that cancels its caller.
///
/// A cancellation may come before the event loop sends the batch, after it, or at the same time. The second of the two
/// sees what the first did, so every cancelled batch is noticed.
final class SendState: Sendable {
    /// The result of marking a batch as sent.
    enum MarkResult: Hashable {
        case sent, cancelled
    }

    /// The ID of the batch (a positive number) once it was sent; otherwise `unused`, or `void` after a cancellation.
    private let state = Atomic<Int>(SendState.unused)
    private static let unused = 0
    private static let void = -1

    /// Records that the batch was sent under this ID. Returns `.cancelled` if the caller was cancelled before.
    func markSent(as id: Int) -> MarkResult {
        let (exchanged, _) = state.compareExchange(
            expected: Self.unused,
            desired: id,
            ordering: .acquiringAndReleasing
        )
        return exchanged ? .sent : .cancelled
    }

    /// Records that the caller was cancelled. Returns the ID of the batch to abandon if it was sent.
    func cancel() -> Int? {
        let id = state.exchange(Self.void, ordering: .acquiringAndReleasing)
        return id > 0 ? id : nil
    }
}
