import HTTPCaching
import NIOConcurrencyHelpers
import Synchronization

/// The flights of a cache: a board behind a lock, and the requests that wait at it.
final class FlightGroup: Sendable {
    /// What a passenger is told.
    enum News: Sendable {
        /// The flight landed.
        case arrived(Arrival)
        /// The flight is not to be waited for.
        case released(Reason)
        /// The passenger's own task was cancelled.
        case left

        enum Reason: Sendable {
            /// Others may not have what the flight brings: ask alone.
            case unsharable
            /// It takes too long: look again.
            case overdue
            /// It landed while this request was on its way: look again.
            case landed
            /// It has taken as many as it may: ask alone.
            case full
        }
    }

    /// What a request that found no answer does.
    enum Boarding {
        /// It leads: whoever fetches takes the permit.
        case lead(FlightID)
        /// It has waited.
        case waited(News)
        /// It fetches for itself.
        case alone
    }

    private struct State: Sendable {
        var board: FlightBoard<Waiter>
        /// What lets the passengers of a flight go when their patience is over.
        var timers: [FlightID: Task<Void, Never>] = [:]
    }

    private typealias Waiter = CheckedContinuation<News, Never>

    private let state: NIOLockedValueBox<State>
    private let lastPassenger = Atomic<UInt64>(0)
    private let clock: WallClock
    private let tasks: BackgroundTasks

    init(flightLimit: Int, passengerLimit: Int, clock: WallClock, tasks: BackgroundTasks) {
        self.state = NIOLockedValueBox(
            State(board: FlightBoard(flightLimit: flightLimit, passengerLimit: passengerLimit))
        )
        self.clock = clock
        self.tasks = tasks
    }

    /// The number of requests that wait for another one's fetch.
    var passengerCount: Int { state.withLockedValue { $0.board.passengerCount } }

    /// The number of fetches under way that others may wait for.
    var count: Int { state.withLockedValue { $0.board.count } }

    /// The last landing so far.
    var lastLanding: UInt64 { state.withLockedValue { $0.board.lastLanding } }

    /// Leads the flight for a key, or waits for it.
    func board(_ key: FlightKey, _ ticket: Ticket, patience: Duration) async -> Boarding {
        switch state.withLockedValue({ $0.board.board(key, ticket) }) {
        case .lead(let id): return .lead(id)
        case .ride(let id, let isFirst):
            if isFirst { time(id, patience: patience) }
            return .waited(await wait(for: id))
        case .alone: return .alone
        case .landed: return .waited(.released(.landed))
        }
    }

    /// Leads the flight for a key; nil where one flies already or has just landed, or too many fly.
    func lead(_ key: FlightKey, _ ticket: Ticket) -> FlightID? {
        state.withLockedValue { state in
            guard !state.board.isFlying(key, for: ticket.lookup), case .lead(let id) = state.board.board(key, ticket)
            else { return nil }
            return id
        }
    }

    /// The duty to land a flight; none is on the board for `nil`, who fetches alone.
    func permit(for id: FlightID?) -> FlightPermit {
        FlightPermit(id: id, group: self)
    }

    private func wait(for id: FlightID) async -> News {
        let passenger = lastPassenger.wrappingAdd(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Cancelled before it waits: the handler below has run and found nobody.
                let news: News? = state.withLockedValue { state in
                    if Task.isCancelled { return .left }
                    switch state.board.wait(passenger, for: id, continuation) {
                    case nil: return nil
                    case .landed: return .released(.landed)
                    case .full: return .released(.full)
                    }
                }
                if let news { continuation.resume(returning: news) }
            }
        } onCancel: {
            state.withLockedValue { $0.board.leave(passenger, from: id) }?.resume(returning: .left)
        }
    }

    /// Lets the passengers of a flight go when their patience is over. A hung fetch holds up its key no longer either.
    private func time(_ id: FlightID, patience: Duration) {
        let timer = tasks.start { [clock, weak self] in
            do { try await clock.sleep(for: patience) } catch { return }
            self?.release(id, .overdue)
        }
        let isNeeded = state.withLockedValue { state in
            guard state.board.flies(id), state.timers[id] == nil else { return false }
            state.timers[id] = timer
            return true
        }
        if !isNeeded { timer.cancel() }
    }

    fileprivate func release(_ id: FlightID, _ reason: News.Reason) {
        let waiters = state.withLockedValue { $0.board.release(id) }
        for waiter in waiters { waiter.resume(returning: .released(reason)) }
    }

    fileprivate func land(_ id: FlightID, _ news: News) {
        let isStored = if case .arrived(let arrival) = news { arrival.isStored } else { false }
        let (waiters, timer) = state.withLockedValue { state in
            (state.board.land(id, isStored: isStored), state.timers.removeValue(forKey: id))
        }
        timer?.cancel()
        for waiter in waiters { waiter.resume(returning: news) }
    }
}

/// The duty to land a flight. Let go of without a landing, it sends the passengers to ask alone.
struct FlightPermit: ~Copyable, Sendable {
    private let id: FlightID?
    private let group: FlightGroup
    private var isLanded = false

    fileprivate init(id: FlightID?, group: FlightGroup) {
        self.id = id
        self.group = group
    }

    deinit {
        if !isLanded, let id { group.land(id, .released(.unsharable)) }
    }

    /// Lets the passengers go before the landing: nobody else may have what this flight brings.
    var release: @Sendable () -> Void {
        { [id, group] in
            if let id { group.release(id, .unsharable) }
        }
    }

    /// Lands the flight: everybody who waits gets what it brought.
    consuming func land(_ arrival: Arrival) {
        isLanded = true
        if let id { group.land(id, .arrived(arrival)) }
    }
}
