/// The duty to complete a flight. A permit that is dropped without having completed its flight has the waiters look up
/// again.
struct FlightPermit: ~Copyable, Sendable {
    private let flight: FlightHandle
    private var isCompleted = false

    init(for flight: FlightHandle) { self.flight = flight }

    deinit {
        if !isCompleted { flight.complete(.abandoned) }
    }

    /// Gives up the duty, and returns the flight for another permit.
    consuming func handOver() -> FlightID {
        isCompleted = true
        return flight.id
    }

    /// Completes the flight: every waiter that may have its result gets it.
    consuming func complete(_ completion: FlightCompletion) {
        isCompleted = true
        flight.complete(completion)
    }
}

/// A flight under way, as its fetch sees it.
struct FlightHandle: Sendable {
    let id: FlightID
    fileprivate let group: FlightGroup

    init(_ id: FlightID, in group: FlightGroup) {
        self.id = id
        self.group = group
    }

    /// True if a request other than the leader waits for the result.
    var isAwaited: Bool { group.isAwaited(id) }

    /// True if another request waits, and no flight before this one has failed by a request's fault.
    var awaitsConfirmation: Bool { group.awaitsConfirmation(id) }

    /// Releases the waiters before the flight is over: they may not have its result.
    func release(_ completion: FlightCompletion) { group.release(id, completion) }

    fileprivate func complete(_ completion: FlightCompletion) { group.complete(id, completion) }
}
