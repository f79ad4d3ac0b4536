import HTTPCaching
import NIOConcurrencyHelpers
import Synchronization

/// The flights of a cache: a table behind a lock, and the requests that wait.
final class FlightGroup: Sendable {
    /// What became of a request that joined.
    enum Joined: Sendable {
        /// It leads this flight: it fetches now.
        case lead(FlightID)
        /// It was chosen to lead this flight after it has waited: it looks again first.
        case leadAfterLooking(FlightID)
        /// A flight brought this.
        case arrived(Arrival)
        /// It fetches for itself.
        case alone
        /// It looks again.
        case lookAgain
        /// The time that it was willing to wait is over.
        case timedOut
        /// Its own task was cancelled.
        case cancelled
    }

    private typealias Waiter = CheckedContinuation<Joined, Never>

    private struct State: Sendable {
        var table: FlightTable<Waiter>
        /// What has one waiter of a key lead another flight when the coalescing timeout is over.
        var timers: [FlightKey: Task<Void, Never>] = [:]
    }

    private let state: NIOLockedValueBox<State>
    private let lastWaiter = Atomic<UInt64>(0)
    private let clock: WallClock
    private let tasks: BackgroundTasks

    init(flightLimit: Int, waiterLimit: Int, clock: WallClock, tasks: BackgroundTasks) {
        self.state = NIOLockedValueBox(
            State(table: FlightTable(flightLimit: flightLimit, waiterLimit: waiterLimit))
        )
        self.clock = clock
        self.tasks = tasks
    }

    /// The number of requests that wait for another one's fetch.
    var waiterCount: Int { state.withLockedValue { $0.table.waiterCount } }

    /// The number of fetches under way that others may wait for.
    var count: Int { state.withLockedValue { $0.table.count } }

    /// The last landing so far.
    var lastLanding: UInt64 { state.withLockedValue { $0.table.lastLanding } }

    /// Leads a flight for a key, or waits for those under way.
    /// - Parameters:
    ///   - timeout: the coalescing timeout.
    ///   - softTimeout: how long after the start of the newest flight the request has waited enough; nil: it waits.
    func join(_ key: FlightKey, _ ticket: Ticket, timeout: Duration, softTimeout: Duration?) async -> Joined {
        let now = clock.now
        switch state.withLockedValue({ $0.table.join(key, ticket, at: now, timeout: timeout) }) {
        case .lead(let id): return .lead(id)
        case .alone: return .alone
        case .landed: return .lookAgain
        case .wait(let start):
            let left = softTimeout.map { start.advanced(by: $0).duration(since: now) }
            if let left, left <= .zero { return .timedOut }
            return await wait(key, ticket, timeout: timeout, atMost: left)
        }
    }

    /// Leads a flight for a key; nil if one is under way already or has just landed, or too many are.
    func lead(_ key: FlightKey, _ ticket: Ticket) -> FlightID? {
        let now = clock.now
        return state.withLockedValue { $0.table.lead(key, ticket, at: now) }
    }

    /// Notes the version of the log that a leader has read before it asks the origin.
    func start(_ id: FlightID, readVersion: Birth) {
        state.withLockedValue { $0.table.start(id, readVersion: readVersion) }
    }

    /// Whether other flights of the same key are under way.
    func hasOthers(_ id: FlightID) -> Bool { state.withLockedValue { $0.table.hasOthers(id) } }

    /// Waits for what the other flights of the key bring to a request that leads one itself; nil if there are none, or
    /// its own flight is over first.
    func watch(_ id: FlightID, _ readVersion: Birth) async -> Arrival? {
        let waiter = nextWaiter()
        let joined = await withCheckedContinuation { continuation in
            let isWatching = state.withLockedValue { $0.table.watch(id, readVersion, as: (waiter, continuation)) }
            if !isWatching { continuation.resume(returning: Joined.cancelled) }
        }
        guard case .arrived(let arrival) = joined else { return nil }
        return arrival
    }

    /// The duty to land a flight; there is none for `nil`, by which a request fetches alone.
    func permit(for id: FlightID?) -> FlightPermit {
        FlightPermit(id: id, group: self)
    }

    private func nextWaiter() -> UInt64 { lastWaiter.wrappingAdd(1, ordering: .relaxed).newValue }

    private func wait(
        _ key: FlightKey,
        _ ticket: Ticket,
        timeout: Duration,
        atMost limit: Duration?
    ) async -> Joined {
        let waiter = nextWaiter()
        let timer = limit.map { limit in
            tasks.start { [clock, weak self] in
                do { try await clock.sleep(for: limit) } catch { return }
                self?.leave(waiter, key, .timedOut)
            }
        }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = clock.now
                let joined: Joined? = state.withLockedValue { state in
                    // Cancelled before it waits: the handler below has run and found nobody.
                    if Task.isCancelled { return .cancelled }
                    let waiting = (id: waiter, waiter: continuation)
                    switch state.table.join(key, ticket, at: now, timeout: timeout, as: waiting) {
                    case .wait: return nil
                    case .lead(let id): return .lead(id)
                    case .alone: return .alone
                    case .landed: return .lookAgain
                    }
                }
                if let joined { continuation.resume(returning: joined) } else { time(key, timeout: timeout) }
            }
        } onCancel: {
            leave(waiter, key, .cancelled)
        }
    }

    /// Has one waiter of a key lead another flight each time that the coalescing timeout is over.
    private func time(_ key: FlightKey, timeout: Duration) {
        state.withLockedValue { state in
            guard state.timers[key] == nil else { return }
            // The task cannot look at the table before it is in there: it needs the lock that is held here.
            state.timers[key] = tasks.start { [clock, weak self] in
                while let left = self?.timeLeft(key, timeout: timeout) {
                    do { try await clock.sleep(for: left) } catch { return }
                    let now = clock.now
                    self?.tell(key) { $0.overdue(key, at: now, timeout: timeout) }
                }
            }
        }
    }

    /// How long to sleep before the coalescing timeout of a key is over; nil, and no timer any more, if no request
    /// waits.
    private func timeLeft(_ key: FlightKey, timeout: Duration) -> Duration? {
        let now = clock.now
        return state.withLockedValue { state in
            let left = state.table.timeLeft(key, at: now, timeout: timeout)
            if left == nil { state.timers[key] = nil }
            return left
        }
    }

    /// Has a waiter give up.
    private func leave(_ waiter: UInt64, _ key: FlightKey, _ joined: Joined) {
        var left: Waiter?
        tell(key) { table in
            left = table.leave(waiter, key)
            return []
        }
        left?.resume(returning: joined)
    }

    fileprivate func release(_ id: FlightID, _ result: FlightResult) {
        let now = clock.now
        tell(of: id) { $0.release(id, result, at: now) }
    }

    fileprivate func land(_ id: FlightID, _ result: FlightResult) {
        let now = clock.now
        tell(of: id) { $0.land(id, result, at: now) }
    }

    private func tell(of id: FlightID, _ change: (inout FlightTable<Waiter>) -> FlightTable<Waiter>.Told) {
        guard let key = state.withLockedValue({ $0.table.key(of: id) }) else { return }
        tell(key, change)
    }

    /// Changes the table, and tells the waiters outside the lock. Without waiters there is nothing to time.
    private func tell(_ key: FlightKey, _ change: (inout FlightTable<Waiter>) -> FlightTable<Waiter>.Told) {
        let now = clock.now
        let (told, timer) = state.withLockedValue { state in
            let told = change(&state.table)
            let isIdle = state.table.timeLeft(key, at: now, timeout: .zero) == nil
            return (told, isIdle ? state.timers.removeValue(forKey: key) : nil)
        }
        timer?.cancel()
        for (waiter, news) in told {
            switch news {
            case .arrived(let arrival): waiter.resume(returning: .arrived(arrival))
            case .lead(let id): waiter.resume(returning: .leadAfterLooking(id))
            case .alone: waiter.resume(returning: .alone)
            case .lookAgain: waiter.resume(returning: .lookAgain)
            case .ownFlightLanded: waiter.resume(returning: .cancelled)
            }
        }
    }
}

/// The duty to land a flight. Dropped without a landing, it has the waiters look again.
struct FlightPermit: ~Copyable, Sendable {
    private let id: FlightID?
    private let group: FlightGroup
    private var isLanded = false

    fileprivate init(id: FlightID?, group: FlightGroup) {
        self.id = id
        self.group = group
    }

    deinit {
        if !isLanded, let id { group.land(id, .abandoned) }
    }

    /// Tells the waiters before the landing that they may not have what this flight brings.
    var release: @Sendable (FlightResult) -> Void {
        { [id, group] result in
            if let id { group.release(id, result) }
        }
    }

    /// Hands the duty on to another permit for the same flight.
    consuming func handOver() -> FlightID? {
        isLanded = true
        return id
    }

    /// Lands the flight: everybody who waits gets what it brought.
    consuming func land(_ result: FlightResult) {
        isLanded = true
        if let id { group.land(id, result) }
    }
}
