import DequeModule
import Larder

/// The invalidations that Redis has not confirmed, and those that it may still lose: they have to be delivered before
/// any stored response in Redis is used again (docs/invalidation.md, "When Redis cannot be reached").
///
/// A value without a clock or a lock.
struct Outbox {
    /// The number of an event of an outbox: the begin of an invalidation, or the queuing of one.
    typealias Turn = UInt64

    /// The turns at which a waiting scope was queued first and last.
    private struct Wait {
        var first: Turn
        var last: Turn
    }

    /// A scope and the turn since which it waits. The place is obsolete if the scope does not wait any more, or
    /// waits since another turn.
    private typealias Place = (scope: InvalidationScope, first: Turn)

    private var waiting: [InvalidationScope: Wait] = [:]
    /// The scopes that wait, in the order of their first turns.
    private var order: Deque<Place> = []
    /// The scopes that were queued again while they were being sent, in the same order.
    private var again: Deque<Place> = []
    /// The number of places that were examined; for tests.
    private(set) var examined = 0
    /// The memory that the waiting scopes take, in bytes.
    private var waitingCost = 0
    private var delivered: Deque<(scopes: [InvalidationScope], at: ContinuousClock.Instant)> = []
    private var deliveredCount = 0
    /// The time until which some recent deliveries are forgotten, because there were too many; nil if there never were.
    private var overflowedUntil: ContinuousClock.Instant?
    private(set) var turn: Turn = 0
    /// The largest number of waiting scopes; beyond it they are replaced by one: everything.
    let limit: Int
    /// The most memory that the waiting scopes take; beyond it they are replaced by everything.
    let costLimit: ByteCount
    /// The largest number of scopes that are remembered after their delivery.
    private var memoryLimit: Int { min(limit, 10_000) }
    /// The time for which delivered scopes are remembered.
    let memory: Duration

    init(limit: Int = 100_000, costLimit: ByteCount = .mebibytes(16), memory: Duration = .seconds(60)) {
        self.limit = limit
        self.costLimit = costLimit
        self.memory = memory
    }

    /// The number of waiting scopes.
    var count: Int { waiting.count }

    /// All waiting scopes: an expensive copy, for rare use.
    var scopes: [InvalidationScope] { Array(waiting.keys) }

    /// The turn up to which everything that was queued has been delivered.
    var deliveredThrough: Turn {
        let first = [order.first, again.first].compactMap { $0?.first }.min()
        return first.map { $0 - 1 } ?? turn
    }

    /// Returns the scopes that have waited longest.
    mutating func next(upTo count: Int) -> [InvalidationScope] {
        var batch: [(place: Place, isAgain: Bool)] = []
        while batch.count < count {
            let isAgain = again.first?.first ?? .max < order.first?.first ?? .max
            guard let place = isAgain ? again.popFirst() : order.popFirst() else { break }
            examined += 1
            if isCurrent(place) { batch.append((place, isAgain)) }
        }
        for (place, isAgain) in batch.reversed() {
            if isAgain { again.prepend(place) } else { order.prepend(place) }
        }
        return batch.map(\.place.scope)
    }

    private func isCurrent(_ place: Place) -> Bool { waiting[place.scope]?.first == place.first }

    /// Removes obsolete places: at the fronts always, and everywhere if there are many more places than waiting scopes.
    private mutating func tidy() {
        while let place = order.first, !isCurrent(place) {
            examined += 1
            order.removeFirst()
        }
        while let place = again.first, !isCurrent(place) {
            examined += 1
            again.removeFirst()
        }
        guard order.count + again.count > 2 * waiting.count + 100 else { return }
        examined += order.count + again.count
        order = order.filter(isCurrent)
        again = again.filter(isCurrent)
    }

    /// Begins an invalidation at a new turn, so that scopes that wait already can be told from those queued later.
    mutating func begin() {
        turn += 1
    }

    /// Queues the scopes of an invalidation that was not confirmed, or that waits behind others.
    /// - Returns: The turn at which they wait.
    @discardableResult
    mutating func add(_ scopes: [InvalidationScope]) -> Turn {
        turn += 1
        for scope in scopes {
            if waiting[scope] != nil {
                waiting[scope]?.last = turn
            } else {
                waiting[scope] = Wait(first: turn, last: turn)
                waitingCost += scope.waitingCost
                order.append((scope, turn))
            }
        }
        if waiting.count > limit || waitingCost > costLimit.bytes {
            // `everything` replaces all scopes that wait, from the turn of the first of them on.
            let first = deliveredThrough + 1
            waiting = [.everything: Wait(first: first, last: turn)]
            (order, again) = ([(.everything, first)], [])
            waitingCost = InvalidationScope.everything.waitingCost
        }
        tidy()
        return turn
    }

    /// Records that Redis confirmed scopes that were sent at `turn`. Scopes that were queued again since then wait on.
    mutating func deliver(_ scopes: [InvalidationScope], sentAt turn: Turn, now: ContinuousClock.Instant) {
        // `everything` includes all waiting scopes.
        for scope in scopes.contains(.everything) ? self.scopes : scopes {
            guard let wait = waiting[scope], wait.first <= turn else { continue }
            if wait.last <= turn {
                waiting[scope] = nil
                waitingCost -= scope.waitingCost
            } else {
                waiting[scope]?.first = turn + 1
                let index = again.lastIndex { $0.first <= turn + 1 }.map { $0 + 1 } ?? 0
                again.insert((scope, turn + 1), at: index)
            }
        }
        tidy()
        if !scopes.isEmpty { delivered.append((scopes, now)) }
        deliveredCount += scopes.count
        while let oldest = delivered.first, oldest.at + memory <= now { forget(oldest.scopes) }
        guard deliveredCount > memoryLimit else { return }
        overflowedUntil = now + memory
        while let oldest = delivered.first, deliveredCount > memoryLimit { forget(oldest.scopes) }
    }

    /// Records that a server which was just connected has taken a part of a replay that was sent at `turn`.
    mutating func replayed(_ scopes: [InvalidationScope], sentAt turn: Turn, now: ContinuousClock.Instant) {
        // A delivered scope that is sent again is remembered from its first delivery on.
        let taken = scopes.contains(.everything) ? self.scopes : scopes
        deliver(taken.filter { (waiting[$0]?.first ?? .max) <= turn }, sentAt: turn, now: now)
    }

    private mutating func forget(_ oldest: [InvalidationScope]) {
        deliveredCount -= oldest.count
        delivered.removeFirst()
    }

    /// Returns the scopes to send to a server that was just connected: those that wait, and those that were delivered
    /// recently if `all` may have been lost.
    func replay(at now: ContinuousClock.Instant, all: Bool) -> [InvalidationScope] {
        guard all else { return scopes }
        if let overflowedUntil, now < overflowedUntil { return [.everything] }
        var scopes = Set(waiting.keys)
        for batch in delivered where batch.at + memory > now { scopes.formUnion(batch.scopes) }
        return scopes.contains(.everything) ? [.everything] : Array(scopes)
    }

    /// Traps if the parts disagree; for tests.
    func validate() {
        precondition(waiting.count <= max(1, limit), "More scopes wait than the limit")
        precondition(
            waitingCost == waiting.keys.reduce(0) { $0 + $1.waitingCost },
            "A wrong cost of the waiting scopes"
        )
        precondition(deliveredCount == delivered.reduce(0) { $0 + $1.scopes.count }, "A wrong count of the delivered")
        precondition(deliveredCount <= memoryLimit, "More scopes are remembered than the limit")
        precondition(waiting.values.allSatisfy { $0.first <= $0.last && $0.last <= turn }, "A wrong turn")
        let current = order.filter(isCurrent) + again.filter(isCurrent)
        precondition(current.count == waiting.count, "A scope that waits in no queue, or twice")
        for queue in [order, again] {
            precondition(zip(queue, queue.dropFirst()).allSatisfy { $0.first <= $1.first }, "Turns out of order")
        }
        precondition(order.count + again.count <= 2 * waiting.count + 100, "More obsolete places than the limit")
        precondition(
            deliveredThrough == (waiting.values.map(\.first).min().map { $0 - 1 } ?? turn),
            "A wrong turn of the last delivery"
        )
    }
}

extension InvalidationScope {
    /// The memory in bytes that a scope takes in an outbox: its text, and its measured share of a dictionary.
    fileprivate var waitingCost: Int {
        switch self {
        case .key(let key): 96 + key.description.utf8.count
        case .path(let path), .prefix(let path): 96 + path.description.utf8.count
        case .tag(let tag): 96 + tag.description.utf8.count
        case .everything: 96
        }
    }
}
