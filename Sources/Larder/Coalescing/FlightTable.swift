import HTTPCaching

/// The fetches under way for each key (its *flights*), and the requests that wait for any of them (its *waiters*).
///
/// The table is a value without locks, tasks or a clock: each event is a mutating function that returns the waiters to
/// resume.
///
/// ## The race
///
/// A request that arrives after a write was acknowledged must not get a response that was rendered before the write
/// (docs/invalidation.md, "joined too late" and "late tag for waiters"). So the table compares versions of the
/// invalidation log, once when a request joins and once when the flight completes:
///
/// 1. A and B miss. Both look-ups read version 4 of the log. A leads a flight, the origin renders the old row for it,
///    and B waits.
/// 2. A PUT changes the row. It invalidates the path at version 5, and is acknowledged.
/// 3. C misses. Its look-up reads version 5 and sees that the path was invalidated at 5, after the flight's 4. C does
///    not join: it leads a second flight, which reads version 5 and gets the new row.
/// 4. A's response arrives. The store compares its scopes with the log, finds it overtaken, and does not store it. A
///    and B get the old row, since they arrived before the PUT was acknowledged: B's version is not above the flight's.
///
/// The PUT does not touch the table: only the log knows of it. If C's flight completes before A's, its newer response
/// answers A and B as well. If the PUT invalidates a tag that only the response names, C sees nothing that concerns it
/// in step 3, and joins. In step 4 the response is not valid at version 5, which C has read: C is not answered, and
/// leads the next flight.
///
/// ## The rules
///
/// - While a flight for a key is under way, another one starts only if the coalescing timeout has passed since the last
///   start, or for a request that may not have the results of the flights under way.
/// - The completion of any flight answers every waiter of its key that may have the result. If a flight asks the origin
///   after the waiter arrived, its response contains every write that was acknowledged before the waiter arrived. For
///   an earlier flight the log has to show that nothing overtook it: rule 6 of docs/invalidation.md for a request that
///   joins, rule 7 (``FlightOutcome/mayServe(lookupAt:)``) on completion.
/// - A look-up that did not reach the log does not know the writes of other processes. So its request gets only the
///   result of a flight that asks the origin after the request arrived, and if it leads a flight, the requests that
///   arrive after the origin was asked do not get the result. They wait for the next flight, so that there is still one
///   flight for a key at a time while the log cannot be read.
/// - A failure that the leader's request may have caused is not shared at once: one waiter, picked at random, leads the
///   next flight, and the others wait for it.
/// - Waiters that have to fetch for themselves lead flights in steps of 1, 2, 4, 8 and so on.
struct FlightTable<Waiter: Sendable>: Sendable {
    /// The waiters to resume, each with its next step. A leader whose own flight is over gets none: it has the result
    /// of its fetch.
    typealias Resumed = [(waiter: Waiter, outcome: WaitOutcome?)]

    /// A waiting request.
    struct WaitingRequest: Sendable {
        let waiter: Waiter
        /// The version of the log that the request's look-up read; nil if it is not known, or if the request takes only
        /// responses that were fetched after it arrived.
        let readVersion: LogVersion?
        /// The number of the last start of a flight before the request arrived.
        let lastStart: UInt64
        /// The flight that the request leads while it waits for the others; nil if it leads none.
        let ownFlight: FlightID?
    }

    /// A fetch under way that requests of its key may wait for.
    struct Flight: Sendable {
        let key: FlightKey
        /// The start of the flight; nil until the leader has looked up, as the origin is not asked yet.
        var start: Start?
    }

    /// The moment before a flight asks the origin.
    struct Start: Sendable {
        /// The number of this start among the starts of all flights.
        let number: UInt64
        /// The version of the log; nil if the log could not be read.
        let readVersion: LogVersion?
    }

    /// The flights and waiters of one key.
    struct Queue: Sendable {
        var flights: Set<FlightID> = []
        var waiters: [UInt64: WaitingRequest] = [:]
        /// The time at which the newest flight started.
        var startedAt: Timestamp
        /// The number of waiters that are chosen next to ask the origin, each for itself.
        var step = 1
        /// True if the last flight failed and its leader's request may be the cause.
        var hasFailed = false
    }

    private var flights: [FlightID: Flight] = [:]
    private var queues: [FlightKey: Queue] = [:]
    private var lastID: UInt64 = 0
    private var lastStart: UInt64 = 0
    /// The number of the last completion of a flight that stored something. They are numbered from 1.
    private(set) var lastCompletion: UInt64 = 0
    /// The keys of the latest such completions, each at the place that is its number modulo the length of the array.
    private var completions: [FlightKey?]
    private let flightLimit: Int
    private let waiterLimit: Int
    /// Returns the place of the waiter that leads after a failure, from the number of waiters.
    private let pick: @Sendable (Int) -> Int

    init(
        flightLimit: Int,
        waiterLimit: Int,
        completionLimit: Int = 256,
        pick: @escaping @Sendable (Int) -> Int = { .random(in: 0..<$0) }
    ) {
        self.pick = pick
        self.completions = Array(repeating: nil, count: completionLimit)
        self.flightLimit = flightLimit
        self.waiterLimit = waiterLimit
    }

    /// The number of flights under way.
    var count: Int { flights.count }

    /// The number of requests that wait, without those that lead a flight as well.
    var waiterCount: Int {
        queues.values.reduce(0) { $0 + $1.waiters.values.count { $0.ownFlight == nil } }
    }
}

// MARK: - Joining

extension FlightTable {
    /// Joins the flights of a key, or begins one.
    /// - Parameters:
    ///   - timeout: The coalescing timeout: the time after the start of the newest flight at which another one may
    ///     start.
    ///   - softTimeout: The time after the start of the newest flight at which the request does not wait any more; nil
    ///     if it has none.
    ///   - mayLead: True if the request may begin a flight; otherwise it fetches alone unless it can wait.
    ///   - waiter: The number and the waiter to add if the request has to wait.
    /// - Returns: The request's next step; nil if it waits now.
    mutating func join(
        _ key: FlightKey,
        _ snapshot: LookupSnapshot,
        at now: Timestamp,
        timeout: Duration,
        softTimeout: Duration? = nil,
        mayLead: Bool = true,
        as waiter: (id: UInt64, waiter: Waiter)
    ) -> WaitOutcome? {
        if let (start, count) = joinable(key, snapshot.lookup),
            // At the limit of flights no other flight can start, so the request waits for the one under way.
            now < start.advanced(by: timeout) || flights.count >= flightLimit
        {
            guard count < waiterLimit else { return .fetchAlone }
            if let softTimeout, now >= start.advanced(by: softTimeout) { return .softTimeout }
            queues[key]?.waiters[waiter.id] = WaitingRequest(
                waiter: waiter.waiter,
                readVersion: Self.readVersion(key, snapshot.lookup),
                lastStart: lastStart,
                ownFlight: nil
            )
            return nil
        }
        // A flight for the key has stored a response since the look-up.
        if !key.isDemand, hasCompleted(key, since: snapshot.completion) { return .lookUpAgain(leading: nil) }
        // A flight that this request may not join goes on, and its result is for the waiters that joined it.
        guard mayLead, let id = begin(key, at: now) else { return .fetchAlone }
        start(id, snapshot.lookup)
        return .lead(id)
    }

    /// Begins a flight if none is under way that a request after `lookup` may join, and if none has just completed.
    mutating func lead(_ key: FlightKey, _ snapshot: LookupSnapshot, at now: Timestamp) -> FlightID? {
        if joinable(key, snapshot.lookup) != nil { return nil }
        if hasCompleted(key, since: snapshot.completion) { return nil }
        guard let id = begin(key, at: now) else { return nil }
        start(id, snapshot.lookup)
        return id
    }

    /// Notes that the leader of a flight asks the origin now, and the result of its look-up.
    mutating func start(_ id: FlightID, _ lookup: Lookup) {
        guard flights[id] != nil else { return }
        lastStart += 1
        flights[id]?.start = Start(number: lastStart, readVersion: lookup.isKnown ? lookup.readVersion : nil)
    }

    /// Has the leader of a flight wait for the other flights of the key as well, as far as its request may have their
    /// results.
    mutating func watch(_ id: FlightID, _ lookup: Lookup, as waiter: (id: UInt64, waiter: Waiter)) {
        guard let flight = flights[id], let start = flight.start, queues[flight.key]?.flights.contains(id) == true
        else { return }
        queues[flight.key]?.waiters[waiter.id] = WaitingRequest(
            waiter: waiter.waiter,
            readVersion: Self.readVersion(flight.key, lookup),
            lastStart: start.number,
            ownFlight: id
        )
    }

    /// Returns the version with which a request may have a response that was fetched before it arrived; nil if it may
    /// not have one.
    private static func readVersion(_ key: FlightKey, _ lookup: Lookup) -> LogVersion? {
        lookup.isKnown && !key.isDemand ? lookup.readVersion : nil
    }

    /// Removes a waiter that gives up; returns nil if it does not wait any more.
    mutating func leave(_ waiter: UInt64, _ key: FlightKey) -> Waiter? {
        queues[key]?.waiters.removeValue(forKey: waiter)?.waiter
    }

    /// Returns the start of the newest flight of a key and the number of waiters; nil if a request with this look-up
    /// may not join any flight of the key. It may join a flight if nothing known to concern it was invalidated since
    /// the flight's read version. If it demands a newer response, or could not read the log, it may wait while any
    /// flight is under way, and is answered by one that starts later.
    private func joinable(_ key: FlightKey, _ lookup: Lookup) -> (start: Timestamp, waiters: Int)? {
        guard let queue = queues[key] else { return nil }
        let mayJoin = queue.flights.contains { id in
            // A leader that is still looking up asks the origin after this request arrived.
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

    /// Returns true if a flight for the key has stored something since the completion with this number, as far as the
    /// table remembers. A completion that it has forgotten costs a fetch.
    private func hasCompleted(_ key: FlightKey, since completion: UInt64) -> Bool {
        guard lastCompletion > completion else { return false }
        let count = UInt64(completions.count)
        let first = max(completion, lastCompletion - min(lastCompletion, count)) + 1
        return (first...lastCompletion).contains { completions[Int($0 % count)] == key }
    }
}

// MARK: - Completion

extension FlightTable {
    /// Releases the waiters before the flight is over, since they may not have its result. The flight goes on, and
    /// answers no waiter.
    mutating func release(_ id: FlightID, _ completion: FlightCompletion, at now: Timestamp) -> Resumed {
        guard let flight = flights[id] else { return [] }
        return release(id, flight, completion, at: now)
    }

    private mutating func release(
        _ id: FlightID,
        _ flight: Flight,
        _ completion: FlightCompletion,
        at now: Timestamp
    ) -> Resumed {
        let key = flight.key
        guard queues[key]?.flights.remove(id) != nil else { return [] }
        let resumed = resume(id, flight, completion, at: now)
        if let queue = queues[key], queue.flights.isEmpty, queue.waiters.isEmpty { queues[key] = nil }
        return resumed
    }

    /// Ends a flight.
    mutating func complete(_ id: FlightID, _ completion: FlightCompletion, at now: Timestamp) -> Resumed {
        // The flight is removed first: its place is free for the flight of a waiter that is chosen now.
        guard let flight = flights.removeValue(forKey: id) else { return [] }
        if case .shared(let outcome) = completion, outcome.isStored {
            lastCompletion += 1
            completions[Int(lastCompletion % UInt64(completions.count))] = flight.key
        }
        return release(id, flight, completion, at: now)
    }

    /// Chooses a waiter to lead another flight if the coalescing timeout has passed since the newest one started.
    mutating func overdue(_ key: FlightKey, at now: Timestamp, timeout: Duration) -> Resumed {
        guard let queue = queues[key] else { return [] }
        // A start in the future means that the clock was set back.
        guard now < queue.startedAt || now >= queue.startedAt.advanced(by: timeout) else { return [] }
        // The start is set even if no flight may begin: the next attempt follows after another timeout.
        queues[key]?.startedAt = now
        return choose(1, key, at: now)
    }

    /// Returns the time until one of the waiters of a key leads another flight; nil if no request waits.
    func timeLeft(_ key: FlightKey, at now: Timestamp, timeout: Duration) -> Duration? {
        guard let queue = queues[key], queue.waiters.values.contains(where: { $0.ownFlight == nil }) else { return nil }
        return min(timeout, max(.zero, queue.startedAt.advanced(by: timeout).duration(since: now)))
    }

    /// Returns the key of a flight; nil if the flight is over.
    func key(of id: FlightID) -> FlightKey? { flights[id]?.key }

    /// Returns true if a request that leads no flight waits for the result of a flight.
    func isAwaited(_ id: FlightID) -> Bool {
        guard let key = flights[id]?.key, let queue = queues[key] else { return false }
        return queue.waiters.values.contains { $0.ownFlight == nil }
    }

    /// Returns true if a request that leads no flight waits for the result of a flight, and the last flight of its key
    /// has not failed in a way that its leader's request may have caused.
    func awaitsConfirmation(_ id: FlightID) -> Bool {
        guard let key = flights[id]?.key, let queue = queues[key] else { return false }
        return !queue.hasFailed && queue.waiters.values.contains { $0.ownFlight == nil }
    }

    private mutating func resume(
        _ id: FlightID,
        _ flight: Flight,
        _ completion: FlightCompletion,
        at now: Timestamp
    ) -> Resumed {
        let key = flight.key
        var resumed = remove(key) { $0.ownFlight == id }.map { (waiter: $0, outcome: nil as WaitOutcome?) }
        switch completion {
        case .failed where queues[key]?.hasFailed == false:
            queues[key]?.hasFailed = true
            guard queues[key]?.flights.isEmpty == true else { return resumed }
            return resumed + choose(1, key, at: now, from: pick)
        case .shared(let outcome), .failed(let outcome):
            guard let start = flight.start else { preconditionFailure("A flight with a result must have been started") }
            // The origin was asked after the waiter arrived, or the versions show that nothing overtook the result.
            let answered = remove(key) { waiting in
                waiting.lastStart < start.number || waiting.readVersion.map(outcome.mayServe(lookupAt:)) == true
            }
            resumed += answered.map { ($0, .completed(outcome)) }
            queues[key]?.hasFailed = false
        case .unsharable:
            resumed += remove(key) { $0.ownFlight == nil }.map { ($0, .fetchAlone) }
        case .leaderOnly: break
        case .abandoned:
            // The response that the leader found may be for the others as well.
            guard queues[key]?.flights.isEmpty == true else { return resumed }
            resumed += remove(key) { $0.ownFlight == nil }.map { ($0, .lookUpAgain(leading: nil)) }
        }
        guard let step = queues[key].flatMap({ $0.flights.isEmpty && !$0.waiters.isEmpty ? $0.step : nil }) else {
            return resumed
        }
        // The flights so far have not answered these waiters: the next ones ask the origin.
        if case .leaderOnly = completion {
            resumed += choose(step, key, at: now)
            queues[key]?.step = min(step, waiterLimit) * 2
        } else {
            resumed += choose(1, key, at: now)
        }
        return resumed
    }

    /// Has each of the waiters that have waited longest lead a flight.
    /// - Parameter pick: Returns the place of the first waiter to choose, from the number of waiters; by default that
    ///   of the one that has waited longest.
    private mutating func choose(
        _ count: Int,
        _ key: FlightKey,
        at now: Timestamp,
        from pick: (Int) -> Int = { _ in 0 }
    ) -> Resumed {
        var waiting = queues[key].map { $0.waiters.filter { $1.ownFlight == nil }.keys.sorted() } ?? []
        if !waiting.isEmpty { waiting.swapAt(0, pick(waiting.count)) }
        var resumed: Resumed = []
        for id in waiting.prefix(count) where flights.count < flightLimit {
            guard let waiter = queues[key]?.waiters.removeValue(forKey: id), let flight = begin(key, at: now)
            else {
                continue
            }
            resumed.append((waiter.waiter, .lookUpAgain(leading: flight)))
        }
        guard queues[key]?.flights.isEmpty == true else { return resumed }
        // No flight can begin, and no flight is under way that would resume the remaining waiters.
        return resumed + remove(key) { _ in true }.map { ($0, .fetchAlone) }
    }

    private mutating func remove(_ key: FlightKey, where isIncluded: (WaitingRequest) -> Bool) -> [Waiter] {
        guard let waiters = queues[key]?.waiters, !waiters.isEmpty else { return [] }
        let removed = waiters.filter { isIncluded($1) }
        if !removed.isEmpty { queues[key]?.waiters = waiters.filter { removed[$0.key] == nil } }
        return removed.sorted { $0.key < $1.key }.map(\.value.waiter)
    }

    /// Traps if the tables disagree; for tests.
    func validate() {
        for (key, queue) in queues {
            precondition(!queue.flights.isEmpty, "A queue without flights, whose waiters are never resumed")
            precondition(queue.flights.allSatisfy { flights[$0]?.key == key }, "A queue with the flight of another key")
            precondition(queue.waiters.count <= waiterLimit + queue.flights.count, "A queue with too many waiters")
            for waiter in queue.waiters.values {
                precondition(waiter.ownFlight.map(queue.flights.contains) != false, "A leader whose flight is over")
            }
        }
        precondition(flights.count <= flightLimit, "Too many flights")
    }
}
