import HTTPCaching
import NIOConcurrencyHelpers
import Synchronization

/// The flights of a cache: a table behind a lock, and the requests that wait.
final class FlightGroup: Sendable {
    /// The result of joining.
    enum Joined: Sendable {
        /// The request leads this flight: it fetches now.
        case lead(FlightID)
        /// The request was chosen to lead this flight after it has waited: it looks again first.
        case leadAfterLooking(FlightID)
        /// A flight completed with this result.
        case arrived(FlightOutcome)
        /// The request fetches without a flight.
        case alone
        /// The request looks again.
        case lookAgain
        /// The request's soft timeout is over.
        case timedOut
        /// The request's task was cancelled.
        case cancelled
    }

    private enum Waiter: Sendable {
        case request(CheckedContinuation<Joined, Never>)
        /// A leader that gets the result of another flight if that completes earlier than the leader's own.
        case leader(@Sendable (FlightOutcome) -> Void)
    }

    private struct State: Sendable {
        var table: FlightTable<Waiter>
        /// The tasks that have one waiter of a key lead another flight when the coalescing timeout is over.
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

    /// The number of requests that wait for another request's fetch.
    var waiterCount: Int { state.withLockedValue { $0.table.waiterCount } }

    /// The number of fetches under way that other requests may wait for.
    var count: Int { state.withLockedValue { $0.table.count } }

    /// Returns true if a request other than the leader waits for the result of a flight.
    func isAwaited(_ id: FlightID) -> Bool { state.withLockedValue { $0.table.isAwaited(id) } }

    /// The number of the last completion of a flight that stored something.
    var lastCompletion: UInt64 { state.withLockedValue { $0.table.lastCompletion } }

    /// Leads a flight for a key, or waits for those under way.
    /// - Parameters:
    ///   - timeout: The coalescing timeout.
    ///   - softTimeout: The time after the start of the newest flight at which the request stops waiting; nil if it has
    ///     none.
    ///   - mayLead: True if the request may lead a flight; otherwise it fetches alone unless it can wait.
    func join(
        _ key: FlightKey,
        _ snapshot: LookupSnapshot,
        timeout: Duration,
        softTimeout: Duration?,
        mayLead: Bool = true
    ) async -> Joined {
        let now = clock.now
        let joining = state.withLockedValue {
            $0.table.join(key, snapshot, at: now, timeout: timeout, mayLead: mayLead)
        }
        switch joining {
        case .lead(let id): return .lead(id)
        case .alone: return .alone
        case .landed: return .lookAgain
        case .wait(let start):
            let left = softTimeout.map { start.advanced(by: $0).duration(since: now) }
            if let left, left <= .zero { return .timedOut }
            return await wait(key, snapshot, timeout: timeout, atMost: left, mayLead: mayLead)
        }
    }

    /// Leads a flight for a key; returns nil if one is under way already or has just completed, or if too many are
    /// under way.
    func lead(_ key: FlightKey, _ snapshot: LookupSnapshot) -> FlightID? {
        let now = clock.now
        return state.withLockedValue { $0.table.lead(key, snapshot, at: now) }
    }

    /// Notes that a leader asks the origin now, and the result of its look-up.
    func start(_ id: FlightID, _ lookup: Lookup) {
        state.withLockedValue { $0.table.start(id, lookup) }
    }

    /// Tells a leader the results of the other flights of its key, until its own flight is over.
    func watch(_ id: FlightID, _ lookup: Lookup, _ tell: @escaping @Sendable (FlightOutcome) -> Void) {
        let waiter = nextWaiter()
        state.withLockedValue { $0.table.watch(id, lookup, as: (waiter, .leader(tell))) }
    }

    /// Returns the permit of a flight; a permit for `nil` is that of a request that fetches alone.
    func permit(for id: FlightID?) -> FlightPermit {
        FlightPermit(id: id, group: self)
    }

    private func nextWaiter() -> UInt64 { lastWaiter.wrappingAdd(1, ordering: .relaxed).newValue }

    private func wait(
        _ key: FlightKey,
        _ snapshot: LookupSnapshot,
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
                    // The task was cancelled before it waits: the handler below has run and found no waiter.
                    if Task.isCancelled { return .cancelled }
                    let waiting = (id: waiter, waiter: Waiter.request(continuation))
                    let joining = state.table.join(
                        key,
                        snapshot,
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
                // The request is in the table by now: a timer that ends earlier would not find it.
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
            // The task cannot look at the table before it is in `timers`: it needs the lock that is held here.
            state.timers[key] = tasks.start { [clock, weak self] in
                while let left = self?.timeLeft(key, timeout: timeout) {
                    do { try await clock.sleep(for: left) } catch { return }
                    let now = clock.now
                    self?.tell(key) { $0.overdue(key, at: now, timeout: timeout) }
                }
            }
        }
    }

    /// Returns the time until the coalescing timeout of a key is over. Returns nil, and removes the key's timer, if no
    /// request waits.
    private func timeLeft(_ key: FlightKey, timeout: Duration) -> Duration? {
        let now = clock.now
        return state.withLockedValue { state in
            let left = state.table.timeLeft(key, at: now, timeout: timeout)
            if left == nil { state.timers[key] = nil }
            return left
        }
    }

    /// Removes a waiter, and resumes it with this result.
    private func leave(_ waiter: UInt64, _ key: FlightKey, _ joined: Joined) {
        var left: Waiter?
        tell(key) { table in
            left = table.leave(waiter, key)
            return []
        }
        if case .request(let continuation) = left { continuation.resume(returning: joined) }
    }

    fileprivate func release(_ id: FlightID, _ result: FlightCompletion) {
        let now = clock.now
        tell(of: id) { $0.release(id, result, at: now) }
    }

    fileprivate func land(_ id: FlightID, _ result: FlightCompletion) {
        let now = clock.now
        tell(of: id) { $0.land(id, result, at: now) }
    }

    private func tell(of id: FlightID, _ change: (inout FlightTable<Waiter>) -> FlightTable<Waiter>.Told) {
        guard let key = state.withLockedValue({ $0.table.key(of: id) }) else { return }
        tell(key, change)
    }

    /// Changes the table, and tells the waiters outside the lock. Cancels the key's timer if no request waits any more.
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
            case .leader(let tell): if case .arrived(let outcome) = news { tell(outcome) }
            }
        }
    }
}

extension FlightGroup.Joined {
    fileprivate init<Waiter>(_ news: FlightTable<Waiter>.News) {
        self =
            switch news {
            case .arrived(let outcome): .arrived(outcome)
            case .lead(let id): .leadAfterLooking(id)
            case .alone: .alone
            // Only a leader has its own flight, and a leader does not wait as a request does.
            case .lookAgain, .ownFlightLanded: .lookAgain
            }
    }
}

/// The duty to complete a flight. A permit that is dropped without having completed its flight has the waiters look
/// again.
struct FlightPermit: ~Copyable, Sendable {
    private let id: FlightID?
    private let group: FlightGroup
    private var isCompleted = false

    fileprivate init(id: FlightID?, group: FlightGroup) {
        self.id = id
        self.group = group
    }

    deinit {
        if !isCompleted, let id { group.land(id, .abandoned) }
    }

    /// A function that tells the waiters, before the flight completes, that they may not have its result.
    var release: @Sendable (FlightCompletion) -> Void {
        { [id, group] result in
            if let id { group.release(id, result) }
        }
    }

    /// Gives up the duty, and returns the flight for another permit.
    consuming func handOver() -> FlightID? {
        isCompleted = true
        return id
    }

    /// Completes the flight: every waiter that may have its result gets it.
    consuming func land(_ result: FlightCompletion) {
        isCompleted = true
        if let id { group.land(id, result) }
    }
}
