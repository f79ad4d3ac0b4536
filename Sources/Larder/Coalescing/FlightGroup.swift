import HTTPCaching
import NIOConcurrencyHelpers
import Synchronization

/// The flights of a cache: a table behind a lock, and the requests that wait.
final class FlightGroup: Sendable {
    private enum Waiter: Sendable {
        case request(CheckedContinuation<WaitOutcome, Never>)
        /// A leader that gets the outcome of another flight if that completes earlier than the leader's own.
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

    /// Returns true if a request waits for a flight, and the last flight of its key has not failed in a way that its
    /// leader's request may have caused.
    func awaitsConfirmation(_ id: FlightID) -> Bool { state.withLockedValue { $0.table.awaitsConfirmation(id) } }

    /// The number of the last completion of a flight that stored something.
    var lastCompletion: UInt64 { state.withLockedValue { $0.table.lastCompletion } }
}

// MARK: - Joining

extension FlightGroup {
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
    ) async -> WaitOutcome {
        let waiter = nextWaiter()
        let softTimer = NIOLockedValueBox<Task<Void, Never>?>(nil)
        defer { softTimer.withLockedValue { $0 }?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = clock.now
                let (outcome, softTimeLeft): (WaitOutcome?, Duration?) = state.withLockedValue { state in
                    let outcome = state.table.join(
                        key,
                        snapshot,
                        at: now,
                        timeout: timeout,
                        softTimeout: softTimeout,
                        mayLead: mayLead,
                        as: (id: waiter, waiter: .request(continuation))
                    )
                    if outcome != nil { return (outcome, nil) }
                    if Task.isCancelled {
                        // The handler below has run, and found no waiter.
                        _ = state.table.leave(waiter, key)
                        return (.cancelled, nil)
                    }
                    return (nil, softTimeout.flatMap { state.table.timeLeft(key, at: now, timeout: $0) })
                }
                if let outcome { return continuation.resume(returning: outcome) }
                startTimer(key, timeout: timeout)
                guard let softTimeLeft else { return }
                // The request is in the table by now: a timer that ends earlier would not find it.
                softTimer.withLockedValue {
                    $0 = tasks.start { [weak self] in await self?.endWait(of: waiter, key, after: softTimeLeft) }
                }
            }
        } onCancel: {
            leave(waiter, key, .cancelled)
        }
    }

    /// Leads a flight for a key without waiting; returns nil if one is under way already or has just stored a response,
    /// or if too many are under way.
    func lead(_ key: FlightKey, _ snapshot: LookupSnapshot) -> FlightID? {
        let now = clock.now
        return state.withLockedValue { $0.table.lead(key, snapshot, at: now) }
    }

    /// Notes that a leader asks the origin now, and the result of its look-up.
    func start(_ id: FlightID, _ lookup: Lookup) {
        state.withLockedValue { $0.table.start(id, lookup) }
    }

    /// Gives a leader the outcomes of the other flights of its key, until its own flight is over.
    func watch(_ id: FlightID, _ lookup: Lookup, _ receive: @escaping @Sendable (FlightOutcome) -> Void) {
        let waiter = nextWaiter()
        state.withLockedValue { $0.table.watch(id, lookup, as: (waiter, .leader(receive))) }
    }

    private func nextWaiter() -> UInt64 { lastWaiter.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Removes a waiter, and resumes it with this outcome.
    private func leave(_ waiter: UInt64, _ key: FlightKey, _ outcome: WaitOutcome) {
        var left: Waiter?
        update(key) { table in
            left = table.leave(waiter, key)
            return []
        }
        if case .request(let continuation) = left { continuation.resume(returning: outcome) }
    }
}

// MARK: - Timers

extension FlightGroup {
    private func endWait(of waiter: UInt64, _ key: FlightKey, after softTimeout: Duration) async {
        do { try await clock.sleep(for: softTimeout) } catch { return }
        leave(waiter, key, .softTimeout)
    }

    /// Has one waiter of a key lead another flight each time that the coalescing timeout is over.
    private func startTimer(_ key: FlightKey, timeout: Duration) {
        state.withLockedValue { state in
            guard state.timers[key] == nil else { return }
            // The task cannot look at the table before it is in `timers`: it needs the lock that is held here.
            state.timers[key] = tasks.start { [clock, weak self] in
                while let left = self?.timeLeft(key, timeout: timeout) {
                    do { try await clock.sleep(for: left) } catch { return }
                    let now = clock.now
                    self?.update(key) { $0.overdue(key, at: now, timeout: timeout) }
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
}

// MARK: - Completion

extension FlightGroup {
    /// Releases the waiters of a flight before it is over.
    func release(_ id: FlightID, _ completion: FlightCompletion) {
        let now = clock.now
        update(of: id) { $0.release(id, completion, at: now) }
    }

    /// Ends a flight.
    func complete(_ id: FlightID, _ completion: FlightCompletion) {
        let now = clock.now
        update(of: id) { $0.complete(id, completion, at: now) }
    }

    private func update(of id: FlightID, _ change: (inout FlightTable<Waiter>) -> FlightTable<Waiter>.Resumed) {
        guard let key = state.withLockedValue({ $0.table.key(of: id) }) else { return }
        update(key, change)
    }

    /// Changes the table, and resumes waiters outside the lock. Cancels the key's timer if no request waits any more.
    private func update(_ key: FlightKey, _ change: (inout FlightTable<Waiter>) -> FlightTable<Waiter>.Resumed) {
        let now = clock.now
        let (resumed, timer) = state.withLockedValue { state in
            let resumed = change(&state.table)
            let isIdle = state.table.timeLeft(key, at: now, timeout: .zero) == nil
            return (resumed, isIdle ? state.timers.removeValue(forKey: key) : nil)
        }
        timer?.cancel()
        for (waiter, outcome) in resumed {
            switch (waiter, outcome) {
            case (.request(let continuation), let outcome?): continuation.resume(returning: outcome)
            case (.leader(let receive), .completed(let outcome)): receive(outcome)
            // A leader does not look up again: it has its own fetch.
            case (.leader, _): break
            case (.request, nil): preconditionFailure("A request that waits must have an outcome")
            }
        }
    }
}
