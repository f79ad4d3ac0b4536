/// The end of a flight, as far as it concerns the waiters of its key.
enum FlightCompletion: Sendable {
    /// The result is for every waiter that may have it by the rules of docs/invalidation.md ("Waiters"), even if an
    /// invalidation has overtaken it and it was not stored.
    case shared(FlightOutcome)
    /// The flight failed, and the leader's request may be the cause: the failure is shared only if the next flight
    /// fails as well.
    case failed(FlightOutcome)
    /// Responses for this key may not be shared: the waiters need not wait for one another.
    case unsharable
    /// The response may not be shared because of the leader's request: each waiter asks for itself, a few at a time.
    case leaderOnly
    /// The leader did not fetch, or its fetch was abandoned.
    case abandoned
}
