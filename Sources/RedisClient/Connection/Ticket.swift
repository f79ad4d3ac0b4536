import Synchronization

/// Where the cancellation of a caller and the sending of its batch meet, on whichever threads they happen.
///
/// A cancellation may come before the event loop has got round to sending, or after, or in between. Whoever comes
/// second sees what the first did, so that no cancelled batch goes unnoticed.
final class Ticket: Sendable {
    enum Outcome: Hashable {
        case sent, cancelled
    }

    /// The id of the batch once it was sent, which is positive.
    private let state = Atomic<Int>(Ticket.unused)
    private static let unused = 0
    private static let void = -1

    /// The batch was sent under this id.
    func punch(_ id: Int) -> Outcome {
        let (exchanged, _) = state.compareExchange(
            expected: Self.unused,
            desired: id,
            ordering: .acquiringAndReleasing
        )
        return exchanged ? .sent : .cancelled
    }

    /// The caller was cancelled. Returns the id of the batch to abandon, if it was sent.
    func cancel() -> Int? {
        let id = state.exchange(Self.void, ordering: .acquiringAndReleasing)
        return id > 0 ? id : nil
    }
}
