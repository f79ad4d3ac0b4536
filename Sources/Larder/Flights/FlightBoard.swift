import HTTPCaching

/// What tells two fetches apart: the key, and the selecting fields of the variant where they are known.
struct FlightKey: Hashable, Sendable {
    let key: CacheKey
    let selecting: SelectingFields
}

/// What a request shows at the board.
struct Ticket: Sendable {
    /// What it found.
    let lookup: Lookup
    /// The last landing before it looked; the highest number where it is not to look again for a landing.
    let landing: UInt64
}

/// Names a flight for as long as the process lives.
struct FlightID: Hashable, Sendable {
    let value: UInt64
}

/// Who waits for what: one fetch at a time for a key (a *flight*), and the requests that wait for it (*passengers*).
///
/// A value without locks or tasks: each event is a mutating function that says what is to be done. An invalidation may
/// overtake a flight. Those who waited since before it may still have the answer, and nobody who came later, so:
/// - a request may board where nothing known to cover it was invalidated since the flight's birth;
/// - on landing, see `Arrival.mayServe`.
struct FlightBoard<Waiter: Sendable>: Sendable {
    /// What a request does that found no answer.
    enum Boarding {
        /// Fetch, and land this flight.
        case lead(FlightID)
        /// Wait for this flight; `isFirst`: nobody waited before, so the wait must be timed.
        case ride(FlightID, isFirst: Bool)
        /// Fetch without a flight: too many fly, or too many wait.
        case alone
        /// Look again: what it looked for came in between.
        case landed
    }

    /// Why a passenger that was to ride does not.
    enum Missed {
        /// The flight has landed, or let go of its passengers.
        case landed
        /// Others were faster.
        case full
    }

    struct Flight: Sendable {
        let key: FlightKey
        let birth: Birth
        var waiters: [UInt64: Waiter] = [:]
        /// Whether it takes no passengers any more.
        var isReleased = false
    }

    private var flights: [FlightID: Flight] = [:]
    private var boarding: [FlightKey: FlightID] = [:]
    private var lastID: UInt64 = 0
    /// The number of the last landing by which something was stored.
    private(set) var lastLanding: UInt64 = 0
    /// The keys of the latest landings, each at its number modulo the count.
    private var landings: [FlightKey?]
    private let flightLimit: Int
    private let passengerLimit: Int

    init(flightLimit: Int, passengerLimit: Int, landingLimit: Int = 256) {
        self.landings = Array(repeating: nil, count: landingLimit)
        self.flightLimit = flightLimit
        self.passengerLimit = passengerLimit
    }

    /// The number of flights under way.
    var count: Int { flights.count }

    /// The number of passengers that wait for any flight.
    var passengerCount: Int { flights.values.reduce(0) { $0 + $1.waiters.count } }

    /// Boards the flight for a key, or begins one.
    mutating func board(_ key: FlightKey, _ ticket: Ticket) -> Boarding {
        let lookup = ticket.lookup
        if let id = boarding[key], let flight = flights[id], flight.takes(lookup) {
            return flight.waiters.count < passengerLimit ? .ride(id, isFirst: flight.waiters.isEmpty) : .alone
        }
        if hasLanded(key, since: ticket.landing) { return .landed }
        // A flight that this request may not board goes on, and lands for those it took; the next ones board this one.
        guard flights.count < flightLimit else { return .alone }
        lastID += 1
        let id = FlightID(value: lastID)
        flights[id] = Flight(key: key, birth: lookup.birth)
        boarding[key] = id
        return .lead(id)
    }

    /// Whether somebody fetches for the key what a request after `lookup` may have.
    func isFlying(_ key: FlightKey, for lookup: Lookup) -> Bool {
        guard let id = boarding[key], let flight = flights[id] else { return false }
        return flight.takes(lookup)
    }

    /// Whether a flight is under way.
    func flies(_ id: FlightID) -> Bool { flights[id] != nil }

    /// A passenger waits, or why it does not: several may be on their way to the last seat.
    mutating func wait(_ passenger: UInt64, for id: FlightID, _ waiter: Waiter) -> Missed? {
        guard let flight = flights[id], !flight.isReleased else { return .landed }
        guard flight.waiters.count < passengerLimit else { return .full }
        flights[id]?.waiters[passenger] = waiter
        return nil
    }

    /// A passenger leaves before the landing; nil where it is not there any more.
    mutating func leave(_ passenger: UInt64, from id: FlightID) -> Waiter? {
        flights[id]?.waiters.removeValue(forKey: passenger)
    }

    /// The flight lets its passengers go and takes no more; its fetch goes on.
    mutating func release(_ id: FlightID) -> [Waiter] {
        guard let flight = flights[id] else { return [] }
        if boarding[flight.key] == id { boarding[flight.key] = nil }
        flights[id]?.waiters = [:]
        flights[id]?.isReleased = true
        return Array(flight.waiters.values)
    }

    /// The flight is over.
    /// - Parameter isStored: whether the store has something new by it.
    mutating func land(_ id: FlightID, isStored: Bool) -> [Waiter] {
        if isStored, let key = flights[id]?.key {
            lastLanding += 1
            landings[Int(lastLanding % UInt64(landings.count))] = key
        }
        let waiters = release(id)
        flights[id] = nil
        return waiters
    }

    /// Whether a flight for the key has landed since that landing, as far as is remembered. What is forgotten costs a
    /// fetch.
    private func hasLanded(_ key: FlightKey, since landing: UInt64) -> Bool {
        guard lastLanding > landing else { return false }
        let count = UInt64(landings.count)
        let first = max(landing, lastLanding - min(lastLanding, count)) + 1
        return (first...lastLanding).contains { landings[Int($0 % count)] == key }
    }

    /// Traps where the tables disagree; for tests.
    func validate() {
        for (key, id) in boarding {
            precondition(flights[id]?.key == key, "A key that leads to no flight of its own")
        }
        for flight in flights.values {
            precondition(flight.waiters.count <= passengerLimit, "A flight with too many passengers")
            precondition(!flight.isReleased || flight.waiters.isEmpty, "A passenger whom nobody will ever tell")
        }
        precondition(flights.count <= flightLimit, "Too many flights")
    }
}

extension FlightBoard.Flight {
    /// Whether a request after `lookup` may wait for this flight: nothing known to cover it was invalidated since the
    /// flight's birth (PROTOCOL, "Flights").
    func takes(_ lookup: Lookup) -> Bool {
        birth.epoch == lookup.birth.epoch && lookup.newestStamp <= birth.number
    }
}
