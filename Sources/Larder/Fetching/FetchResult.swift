/// The result of a fetch, which the cache applies: it records it, completes the flight, and answers the leader.
struct FetchResult<Response: Sendable>: Sendable {
    /// The response to the request that leads the fetch.
    enum LeaderResponse: Sendable {
        /// The leader gets this response, and counts as this kind of miss.
        case response(Response, CacheEvent.Miss)
        /// The leader gets this error.
        case failure(any Error)
        /// The leader's request is forwarded as it came. It has a range or conditions that the fetch did not send, and
        /// the response is not stored for this reason.
        case forward(because: NotStoredReason)
    }

    /// The response to the leader. It has no effect if the leader has a response already.
    let leader: LeaderResponse
    /// The end of the flight for the requests that wait.
    let completion: FlightCompletion
    /// The events and notes to record.
    var record = FetchRecord()
    /// The body that the leader reads, whose end it gets last; nil if its response has none that was captured.
    var body: BodyCapture?
}

/// The events of a fetch, and the notes about its key.
struct FetchRecord: Sendable {
    var events: [CacheEvent] = []
    var notes: [KeyNotes.Note] = []
    /// The tags and the size of a response that was received whole.
    var received: (tags: [CacheTag], bytes: Int)?
}

/// The parts of a cache that a fetch uses.
struct FetchDependencies: Sendable {
    let store: any CacheStore
    let serving: Serving
    let inFlight: InFlightBudget
    let tracing: CacheTracing
    let clock: WallClock
}
