/// The next step of a request that found no usable response, at once or after it has waited.
enum WaitOutcome: Sendable {
    /// The request leads this flight: it fetches now, and the flight is completed with its result.
    case lead(FlightID)
    /// The request looks up again. It leads the flight, if there is one, unless it finds a response then.
    case lookUpAgain(leading: FlightID?)
    /// The request fetches without a flight: its response may not be shared, too many flights are under way, or too
    /// many requests wait.
    case fetchAlone
    /// A flight was completed with this outcome.
    case completed(FlightOutcome)
    /// The request's soft timeout is over: it gets the stale response.
    case softTimeout
    /// The request's task was cancelled.
    case cancelled
}
