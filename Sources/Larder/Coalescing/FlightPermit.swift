/// The right to lead a flight, with the duty to complete it. If a permit is deallocated before it has completed its
/// flight, the flight is abandoned, and the waiters look up again.
struct FlightPermit: ~Copyable, Sendable {
    private let flight: FlightHandle
    private var isCompleted = false

    init(for flight: FlightHandle) { self.flight = flight }

    deinit {
        if !isCompleted { flight.complete(.abandoned) }
    }

    /// Ends the permit without completing the flight, and returns the flight for another permit.
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

    /// True if another request waits, and the last flight of the key has not failed in a way that its leader's request
    /// may have caused.
    var awaitsConfirmation: Bool { group.awaitsConfirmation(id) }

    /// Releases the waiters before the flight is over: they may not have its result.
    func release(_ completion: FlightCompletion) { group.release(id, completion) }

    fileprivate func complete(_ completion: FlightCompletion) { group.complete(id, completion) }
}
