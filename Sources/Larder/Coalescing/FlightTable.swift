import HTTPCaching

/// What a flight came to, as far as those who wait for its key are concerned.
enum FlightResult: Sendable {
    /// Something that others may have, if PROTOCOL.md's rule for flights allows it.
    case shared(Arrival)
    /// A failure that may be due to the request that led: it is shared only if the next flight fails as well.
    case failed(Arrival)
    /// Others may never have what this key brings: they need not wait for one another.
    case unsharable
    /// Others may not have it because of the request that led: each asks for itself, a few at a time.
    case refusedToLeader
    /// The leader did not fetch after all.
    case abandoned
}

/// Who waits for what: the fetches under way for a key (its *flights*) and the requests that wait for any of them (its
/// *waiters*).
///
/// A value without locks, tasks or a clock: each event is a mutating function that returns what is to be done.
/// - One flight for a key starts at a time. While it is under way, another one starts only once the coalescing timeout
///   has passed since the last start, or for a request that may not have what the flights under way bring.
/// - The completion of any flight answers every waiter of its key that may have the result. A flight whose origin is
///   asked after the waiter arrived contains every write that was acknowledged before the waiter arrived. Of an earlier
///   flight the log has to tell that nothing overtook it: a request may join if nothing known to cover it was
///   invalidated since the flight's read version, and on completion see ``Arrival/mayServe(_:)`` (PROTOCOL.md,
///   "Flights").
/// - A look-up that did not reach the log knows of no write of other processes. Its flight answers nobody who arrived
///   after the origin was asked, and its request waits for the next flight (PROTOCOL.md, C02). So there is still one
///   flight for a key at a time while the log cannot be read.
/// - A failure that may be due to the leader's request is not told at once: one waiter, picked at random, leads the
///   next flight, and the others wait for it.
/// - Waiters that have to ask for themselves are released in steps of 1, 2, 4, 8 and so on.
struct FlightTable<Waiter: Sendable>: Sendable {
    /// What a request does that found no response.
    enum Joining {
        /// Fetch, and land this flight.
        case lead(FlightID)
        /// Wait for the flights of the key; the newest of them started at this moment.
        case wait(since: Timestamp)
        /// Fetch without a flight: too many are under way, or too many wait.
        case alone
        /// Look again: what it looked for came in between.
        case landed
    }

    /// What a waiter is told.
    enum News {
        /// A flight brought this.
        case arrived(Arrival)
        /// Look again, and lead this flight unless there is a response by then.
        case lead(FlightID)
        /// Ask alone.
        case alone
        /// Look again.
        case lookAgain
        /// The waiter's own flight is over, whose result it gets directly.
        case ownFlightLanded
    }

    typealias Told = [(waiter: Waiter, news: News)]

    /// A request that waits.
    struct Entry: Sendable {
        let waiter: Waiter
        /// The log's version when the request looked; nil if it is not known, or if the request takes only what is
        /// fetched for it.
        let readVersion: LogVersion?
        /// The number of the last start of a flight before the request arrived.
        let lastStart: UInt64
        /// The flight that the request leads itself while it waits for the others.
        let ownFlight: FlightID?
    }

    struct Flight: Sendable {
        let key: FlightKey
        /// Nil until the leader has looked up: the origin is not asked yet.
        var start: Start?
    }

    /// The moment before a flight asks the origin.
    struct Start: Sendable {
        /// The place among the starts of all flights.
        let number: UInt64
        /// The version of the log; nil if the log could not be read.
        let readVersion: LogVersion?
    }

    /// The flights and waiters of one key.
    struct Queue: Sendable {
        var flights: Set<FlightID> = []
        var waiters: [UInt64: Entry] = [:]
        /// When the newest flight started.
        var startedAt: Timestamp
        /// How many waiters ask for themselves next.
        var step = 1
        /// True if the last flight failed, maybe because of its leader's request.
        var hasFailed = false
    }

    private var flights: [FlightID: Flight] = [:]
    private var queues: [FlightKey: Queue] = [:]
    private var lastID: UInt64 = 0
    private var lastStart: UInt64 = 0
    /// The number of the last landing by which something was stored.
    private(set) var lastLanding: UInt64 = 0
    /// The keys of the latest landings, each at its number modulo the count.
    private var landings: [FlightKey?]
    private let flightLimit: Int
    private let waiterLimit: Int
    /// Picks one of so many waiters to lead after a failure.
    private let pick: @Sendable (Int) -> Int

    init(
        flightLimit: Int,
        waiterLimit: Int,
        landingLimit: Int = 256,
        pick: @escaping @Sendable (Int) -> Int = { .random(in: 0..<$0) }
    ) {
        self.pick = pick
        self.landings = Array(repeating: nil, count: landingLimit)
        self.flightLimit = flightLimit
        self.waiterLimit = waiterLimit
    }

    /// The number of flights under way.
    var count: Int { flights.count }

    /// The number of requests that wait, those apart that lead as well.
    var waiterCount: Int {
        queues.values.reduce(0) { $0 + $1.waiters.values.count { $0.ownFlight == nil } }
    }
}

// MARK: - Joining

extension FlightTable {
    /// Joins the flights of a key, or begins one.
    /// - Parameters:
    ///   - timeout: the coalescing timeout: how long after the newest flight started another one may start.
    ///   - mayLead: whether the request may begin a flight; otherwise it fetches alone unless it can wait.
    ///   - waiter: the number and the waiter to add if the request is to wait; nil only asks what it would do.
    mutating func join(
        _ key: FlightKey,
        _ ticket: Ticket,
        at now: Timestamp,
        timeout: Duration,
        mayLead: Bool = true,
        as waiter: (id: UInt64, waiter: Waiter)? = nil
    ) -> Joining {
        if let (start, count) = joinable(key, ticket.lookup),
            // Beyond the limit of flights no other one starts, and the one under way is worth waiting for.
            now < start.advanced(by: timeout) || flights.count >= flightLimit
        {
            guard count < waiterLimit else { return .alone }
            if let waiter {
                queues[key]?.waiters[waiter.id] = Entry(
                    waiter: waiter.waiter,
                    readVersion: Self.readVersion(key, ticket.lookup),
                    lastStart: lastStart,
                    ownFlight: nil
                )
            }
            return .wait(since: start)
        }
        if !key.isDemand, hasLanded(key, since: ticket.landing) { return .landed }
        // A flight that this request may not join goes on, and its result is for those it took.
        guard mayLead, let id = begin(key, at: now) else { return .alone }
        start(id, ticket.lookup)
        return .lead(id)
    }

    /// Begins a flight if none is under way that a request after `lookup` may join, and none has just landed.
    mutating func lead(_ key: FlightKey, _ ticket: Ticket, at now: Timestamp) -> FlightID? {
        if joinable(key, ticket.lookup) != nil { return nil }
        if hasLanded(key, since: ticket.landing) { return nil }
        guard let id = begin(key, at: now) else { return nil }
        start(id, ticket.lookup)
        return id
    }

    /// Notes that the leader of a flight asks the origin now, and what it has found before.
    mutating func start(_ id: FlightID, _ lookup: Lookup) {
        guard flights[id] != nil else { return }
        lastStart += 1
        flights[id]?.start = Start(number: lastStart, readVersion: lookup.isKnown ? lookup.readVersion : nil)
    }

    /// Has the leader of a flight wait for the other flights of the key as well: those that the request may have.
    mutating func watch(_ id: FlightID, _ lookup: Lookup, as waiter: (id: UInt64, waiter: Waiter)) {
        guard let flight = flights[id], let start = flight.start, queues[flight.key]?.flights.contains(id) == true
        else { return }
        queues[flight.key]?.waiters[waiter.id] = Entry(
            waiter: waiter.waiter,
            readVersion: Self.readVersion(flight.key, lookup),
            lastStart: start.number,
            ownFlight: id
        )
    }

    /// Returns the version by which a request may have what was fetched from before it arrived; nil: by none.
    private static func readVersion(_ key: FlightKey, _ lookup: Lookup) -> LogVersion? {
        lookup.isKnown && !key.isDemand ? lookup.readVersion : nil
    }

    /// Removes a waiter that gives up; nil if it does not wait any more.
    mutating func leave(_ waiter: UInt64, _ key: FlightKey) -> Waiter? {
        queues[key]?.waiters.removeValue(forKey: waiter)?.waiter
    }

    /// When the newest flight of a key started that a request after `lookup` may join, and how many wait; nil if there
    /// is none. Nothing known to cover the request was invalidated since the read version of a flight that it may join.
    /// A request that demands a newer response, or does not know the log, waits for the next flight.
    private func joinable(_ key: FlightKey, _ lookup: Lookup) -> (start: Timestamp, waiters: Int)? {
        guard let queue = queues[key] else { return nil }
        let mayJoin = queue.flights.contains { id in
            // A leader that is still looking asks the origin after this request arrived.
            guard Self.readVersion(key, lookup) != nil, let start = flights[id]?.start else { return true }
            guard let readVersion = start.readVersion else { return false }
            return readVersion.epoch == lookup.readVersion.epoch && lookup.newestVersion <= readVersion.number
        }
        return mayJoin ? (queue.startedAt, queue.waiters.count) : nil
    }

    private mutating func begin(_ key: FlightKey, at now: Timestamp) -> FlightID? {
        guard flights.count < flightLimit else { return nil }
        lastID += 1
        let id = FlightID(value: lastID)
        flights[id] = Flight(key: key)
        queues[key, default: Queue(startedAt: now)].flights.insert(id)
        queues[key]?.startedAt = now
        return id
    }

    /// Whether a flight for the key has landed since that landing, as far as is remembered. A landing that is forgotten
    /// costs a fetch.
    private func hasLanded(_ key: FlightKey, since landing: UInt64) -> Bool {
        guard lastLanding > landing else { return false }
        let count = UInt64(landings.count)
        let first = max(landing, lastLanding - min(lastLanding, count)) + 1
        return (first...lastLanding).contains { landings[Int($0 % count)] == key }
    }
}

// MARK: - Landing

extension FlightTable {
    /// Tells the waiters what is known before the flight is over: that they may not have what it brings. The flight
    /// goes on, and answers nobody.
    mutating func release(_ id: FlightID, _ result: FlightResult, at now: Timestamp) -> Told {
        guard let flight = flights[id] else { return [] }
        return release(id, flight, result, at: now)
    }

    private mutating func release(
        _ id: FlightID,
        _ flight: Flight,
        _ result: FlightResult,
        at now: Timestamp
    ) -> Told {
        let key = flight.key
        guard queues[key]?.flights.remove(id) != nil else { return [] }
        let told = tell(of: id, flight, result, at: now)
        if let queue = queues[key], queue.flights.isEmpty, queue.waiters.isEmpty { queues[key] = nil }
        return told
    }

    /// Ends a flight.
    mutating func land(_ id: FlightID, _ result: FlightResult, at now: Timestamp) -> Told {
        // Its place is free for the flight of a waiter that is chosen now.
        guard let flight = flights.removeValue(forKey: id) else { return [] }
        if case .shared(let arrival) = result, arrival.isStored {
            lastLanding += 1
            landings[Int(lastLanding % UInt64(landings.count))] = flight.key
        }
        return release(id, flight, result, at: now)
    }

    /// Chooses a waiter to lead another flight, if the coalescing timeout has passed since the newest one started.
    mutating func overdue(_ key: FlightKey, at now: Timestamp, timeout: Duration) -> Told {
        guard let queue = queues[key] else { return [] }
        // A start in the future means that the clock was set back.
        guard now < queue.startedAt || now >= queue.startedAt.advanced(by: timeout) else { return [] }
        // Also if no flight may begin: it is tried again after another timeout.
        queues[key]?.startedAt = now
        return choose(1, key, at: now)
    }

    /// How long the waiters of a key wait before one of them leads another flight; nil if no request waits.
    func timeLeft(_ key: FlightKey, at now: Timestamp, timeout: Duration) -> Duration? {
        guard let queue = queues[key], queue.waiters.values.contains(where: { $0.ownFlight == nil }) else { return nil }
        return min(timeout, max(.zero, queue.startedAt.advanced(by: timeout).duration(since: now)))
    }

    /// The key of a flight; nil if it is over.
    func key(of id: FlightID) -> FlightKey? { flights[id]?.key }

    /// Returns true if a request waits for what a flight brings, beside the one that leads it.
    func isAwaited(_ id: FlightID) -> Bool {
        guard let key = flights[id]?.key, let queue = queues[key] else { return false }
        return queue.waiters.values.contains { $0.ownFlight != id }
    }

    private mutating func tell(of id: FlightID, _ flight: Flight, _ result: FlightResult, at now: Timestamp) -> Told {
        let key = flight.key
        var told = remove(key) { $0.ownFlight == id }.map { (waiter: $0, news: News.ownFlightLanded) }
        switch result {
        case .failed where queues[key]?.hasFailed == false:
            queues[key]?.hasFailed = true
            guard queues[key]?.flights.isEmpty == true else { return told }
            return told + choose(1, key, at: now, from: pick)
        case .shared(let arrival), .failed(let arrival):
            guard let start = flight.start else { preconditionFailure("A result of a flight that never asked") }
            let answered = remove(key) { $0.lastStart < start.number || $0.readVersion.map(arrival.mayServe) == true }
            told += answered.map { ($0, .arrived(arrival)) }
            queues[key]?.hasFailed = false
        case .unsharable:
            told += remove(key) { $0.ownFlight == nil }.map { ($0, .alone) }
        case .refusedToLeader: break
        case .abandoned:
            // The response that the leader found may be that of the others.
            guard queues[key]?.flights.isEmpty == true else { return told }
            told += remove(key) { $0.ownFlight == nil }.map { ($0, .lookAgain) }
        }
        guard let step = queues[key].flatMap({ $0.flights.isEmpty && !$0.waiters.isEmpty ? $0.step : nil }) else {
            return told
        }
        // None of the flights so far has answered these: the next ones go and ask.
        if case .refusedToLeader = result {
            told += choose(step, key, at: now)
            queues[key]?.step = min(step, waiterLimit) * 2
        } else {
            told += choose(1, key, at: now)
        }
        return told
    }

    /// Has the waiters that wait longest lead a flight each.
    /// - Parameter pick: Returns the place of the first one to choose, among so many; by default the one that waits
    ///   longest.
    private mutating func choose(
        _ count: Int,
        _ key: FlightKey,
        at now: Timestamp,
        from pick: (Int) -> Int = { _ in 0 }
    ) -> Told {
        var waiting = queues[key].map { $0.waiters.filter { $1.ownFlight == nil }.keys.sorted() } ?? []
        if !waiting.isEmpty { waiting.swapAt(0, pick(waiting.count)) }
        var told: Told = []
        for id in waiting.prefix(count) where flights.count < flightLimit {
            guard let waiter = queues[key]?.waiters.removeValue(forKey: id), let flight = begin(key, at: now)
            else {
                continue
            }
            told.append((waiter.waiter, .lead(flight)))
        }
        guard queues[key]?.flights.isEmpty == true else { return told }
        // No flight may begin, and there is none that would tell those who are left.
        return told + remove(key) { _ in true }.map { ($0, .alone) }
    }

    private mutating func remove(_ key: FlightKey, where isMeant: (Entry) -> Bool) -> [Waiter] {
        guard let waiters = queues[key]?.waiters, !waiters.isEmpty else { return [] }
        let meant = waiters.filter { isMeant($1) }
        if !meant.isEmpty { queues[key]?.waiters = waiters.filter { meant[$0.key] == nil } }
        return meant.sorted { $0.key < $1.key }.map(\.value.waiter)
    }

    /// Traps if the tables disagree; for tests.
    func validate() {
        for (key, queue) in queues {
            precondition(!queue.flights.isEmpty, "A queue without flights, whose waiters are never told")
            precondition(queue.flights.allSatisfy { flights[$0]?.key == key }, "A queue with the flight of another key")
            precondition(queue.waiters.count <= waiterLimit + queue.flights.count, "A queue with too many waiters")
            for waiter in queue.waiters.values {
                precondition(waiter.ownFlight.map(queue.flights.contains) != false, "A leader whose flight is over")
            }
        }
        precondition(flights.count <= flightLimit, "Too many flights")
    }
}
