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

    private enum Waiter: Sendable {
        case request(CheckedContinuation<Joined, Never>)
        /// A leader that has what another flight brings, if it is earlier than its own.
        case leader(@Sendable (Arrival) -> Void)
    }

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

    /// Returns true if a request waits for what a flight brings, beside the one that leads it.
    func isAwaited(_ id: FlightID) -> Bool { state.withLockedValue { $0.table.isAwaited(id) } }

    /// The last landing so far.
    var lastLanding: UInt64 { state.withLockedValue { $0.table.lastLanding } }

    /// Leads a flight for a key, or waits for those under way.
    /// - Parameters:
    ///   - timeout: the coalescing timeout.
    ///   - softTimeout: how long after the start of the newest flight the request has waited enough; nil: it waits.
    ///   - mayLead: whether the request may lead a flight; otherwise it fetches alone unless it can wait.
    func join(
        _ key: FlightKey,
        _ ticket: Ticket,
        timeout: Duration,
        softTimeout: Duration?,
        mayLead: Bool = true
    ) async -> Joined {
        let now = clock.now
        let joining = state.withLockedValue {
            $0.table.join(key, ticket, at: now, timeout: timeout, mayLead: mayLead)
        }
        switch joining {
        case .lead(let id): return .lead(id)
        case .alone: return .alone
        case .landed: return .lookAgain
        case .wait(let start):
            let left = softTimeout.map { start.advanced(by: $0).duration(since: now) }
            if let left, left <= .zero { return .timedOut }
            return await wait(key, ticket, timeout: timeout, atMost: left, mayLead: mayLead)
        }
    }

    /// Leads a flight for a key; nil if one is under way already or has just landed, or too many are.
    func lead(_ key: FlightKey, _ ticket: Ticket) -> FlightID? {
        let now = clock.now
        return state.withLockedValue { $0.table.lead(key, ticket, at: now) }
    }

    /// Notes that a leader asks the origin now, and what it has found before.
    func start(_ id: FlightID, _ lookup: Lookup) {
        state.withLockedValue { $0.table.start(id, lookup) }
    }

    /// Tells a leader what the other flights of its key bring, until its own is over.
    func watch(_ id: FlightID, _ lookup: Lookup, _ tell: @escaping @Sendable (Arrival) -> Void) {
        let waiter = nextWaiter()
        state.withLockedValue { $0.table.watch(id, lookup, as: (waiter, .leader(tell))) }
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
        atMost limit: Duration?,
        mayLead: Bool
    ) async -> Joined {
        let waiter = nextWaiter()
        let timer = NIOLockedValueBox<Task<Void, Never>?>(nil)
        defer { timer.withLockedValue { $0 }?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = clock.now
                let joined: Joined? = state.withLockedValue { state in
                    // Cancelled before it waits: the handler below has run and found nobody.
                    if Task.isCancelled { return .cancelled }
                    let waiting = (id: waiter, waiter: Waiter.request(continuation))
                    let joining = state.table.join(
                        key,
                        ticket,
                        at: now,
                        timeout: timeout,
                        mayLead: mayLead,
                        as: waiting
                    )
                    switch joining {
                    case .wait: return nil
                    case .lead(let id): return .lead(id)
                    case .alone: return .alone
                    case .landed: return .lookAgain
                    }
                }
                if let joined { return continuation.resume(returning: joined) }
                time(key, timeout: timeout)
                guard let limit else { return }
                // It waits by now: a timer that is quicker would find nobody.
                timer.withLockedValue { $0 = tasks.start { [weak self] in await self?.timeOut(waiter, key, limit) } }
            }
        } onCancel: {
            leave(waiter, key, .cancelled)
        }
    }

    private func timeOut(_ waiter: UInt64, _ key: FlightKey, _ limit: Duration) async {
        do { try await clock.sleep(for: limit) } catch { return }
        leave(waiter, key, .timedOut)
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
        if case .request(let continuation) = left { continuation.resume(returning: joined) }
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
            switch waiter {
            case .request(let continuation): continuation.resume(returning: Joined(news))
            case .leader(let tell): if case .arrived(let arrival) = news { tell(arrival) }
            }
        }
    }
}

extension FlightGroup.Joined {
    fileprivate init<Waiter>(_ news: FlightTable<Waiter>.News) {
        self =
            switch news {
            case .arrived(let arrival): .arrived(arrival)
            case .lead(let id): .leadAfterLooking(id)
            case .alone: .alone
            // The own flight is that of a leader, which does not wait as a request.
            case .lookAgain, .ownFlightLanded: .lookAgain
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
