import DequeModule
import NIOCore

/// What is in flight on one connection, and what each event does to it.
///
/// Redis answers in the order of the commands, so what waits is a queue of *batches*: the commands that one caller sent
/// together. A batch whose caller has left, by cancellation or deadline, stays in the queue as a *tombstone*. It
/// swallows its replies when they come, so that those of the batches behind it reach the right callers, and nobody else
/// on the connection notices.
///
/// `Waiter` is whatever has to be told of a result: a continuation, or a name in a test.
struct ConnectionState<Waiter> {
    private enum Phase {
        /// Commands are sent and answered. Can become `draining` or `closed`.
        case open
        /// No more commands are taken; those in flight are still answered. Can become `closed`.
        case draining
        /// Nobody waits for anything any more. Final.
        case closed
    }

    private struct Batch {
        /// Nil for a tombstone.
        var waiter: Waiter?
        var replies: [RESPValue] = []
        var missing: Int
        let commands: Int
        let bytes: Int
        /// The bytes that its replies are expected to have.
        let expected: Int
        let timeout: ReplyTimeout
        /// When it was handed to the socket; nil until then. The time before that is not the server's.
        var flushedAt: NIODeadline?
        /// When the first bytes of its replies were read.
        var reply: (at: NIODeadline, isExact: Bool)?
    }

    private let limits: RESPLimits
    /// How long the oldest batch may be overdue before the connection counts as dead.
    private let patience: TimeAmount
    private var phase = Phase.open
    private var batches: Deque<Batch> = []
    /// The id of the oldest batch. Batches are numbered without gaps, so that an id leads to its place in the queue.
    private var firstID = 1
    /// When the oldest batch became the oldest: what came before it is not its delay.
    private var firstSince = NIODeadline.uptimeNanoseconds(0)
    private var commandsInFlight = 0
    private var bytesInFlight = 0
    /// The bytes of the commands that are not answered yet, and of the replies that are expected to them.
    private(set) var bytesAwaited = 0
    /// The bytes of the oldest batch's replies. No other batch can have any.
    private var bytesHeld = 0
    private var waiters = 0
    private var adaptiveTimeout: AdaptiveTimeout
    /// When anything was last read.
    private var readAt = NIODeadline.uptimeNanoseconds(0)

    init(limits: RESPLimits, patience: TimeAmount, timeouts: AdaptiveTimeout.Bounds, now: NIODeadline) {
        self.limits = limits
        self.patience = patience
        self.adaptiveTimeout = AdaptiveTimeout(timeouts, at: now)
    }
}

// MARK: Sending
extension ConnectionState {
    enum Admission {
        /// Send it. The id is the batch's name when its caller leaves.
        case send(id: Int)
        case refuse(RedisError)
    }

    /// A caller wants to send commands, which are encoded in so many bytes.
    mutating func admit(
        _ waiter: Waiter,
        commands: Int,
        bytes: Int,
        expecting reply: Int = 0,
        timeout: ReplyTimeout
    ) -> Admission {
        precondition(commands > 0, "A batch has at least one command: an empty one would never be answered.")
        guard phase == .open else { return .refuse(RedisError(.unavailable, "the connection is closing")) }
        guard commands <= limits.commandsInFlight - commandsInFlight, bytes <= limits.bytesInFlight - bytesInFlight
        else {
            let load = "\(commandsInFlight) commands of \(bytesInFlight) bytes"
            return .refuse(RedisError(.overloaded, "the connection has \(load) in flight"))
        }
        // A guess of the caller's, which must not overflow the sum.
        let expected = min(max(0, reply), limits.pipelineBytes)
        batches.append(
            Batch(
                waiter: waiter,
                missing: commands,
                commands: commands,
                bytes: bytes,
                expected: expected,
                timeout: timeout
            )
        )
        commandsInFlight += commands
        bytesInFlight += bytes
        bytesAwaited += bytes + expected
        waiters += 1
        return .send(id: firstID + batches.count - 1)
    }

    /// Notes that all that was sent is handed to the socket. Returns when the first of it is late.
    mutating func flush(now: NIODeadline) -> NIODeadline? {
        var next: NIODeadline?
        for index in batches.indices.reversed() {
            guard batches[index].flushedAt == nil else { break }
            batches[index].flushedAt = now
            next = earlier(next, deadline(of: batches[index]))
        }
        return next
    }

    /// The caller of a batch has left. Returns its waiter, unless it has been served already.
    mutating func abandon(_ id: Int) -> Waiter? {
        guard batches.indices.contains(id - firstID) else { return nil }
        return bury(id - firstID)
    }

    /// Makes a tombstone of a batch.
    private mutating func bury(_ index: Int) -> Waiter? {
        guard let waiter = batches[index].waiter.take() else { return nil }
        batches[index].replies = []
        if index == 0 { bytesHeld = 0 }
        waiters -= 1
        return waiter
    }
}

// MARK: Receiving
extension ConnectionState {
    enum Reception {
        /// Nothing to do: more replies of the same batch are to come, or a tombstone swallowed this one.
        case wait
        /// - `isLate`: the server began to answer after the adaptive timeout.
        case deliver(Waiter, [RESPValue], isLate: Bool)
        case close(RedisError)
    }

    /// Notes that bytes were read, or that some are left that belong to the next reply.
    /// - Parameter isExact: whether they were read as soon as they came; nothing is known of the server's time if not.
    mutating func read(now: NIODeadline, isExact: Bool) {
        readAt = now
        guard !batches.isEmpty, batches[0].reply == nil else { return }
        batches[0].reply = (now, isExact)
    }

    /// A reply of so many bytes has arrived.
    mutating func receive(_ value: RESPValue, bytes: Int, now: NIODeadline, isExact: Bool) -> Reception {
        guard phase != .closed else { return .wait }
        guard !batches.isEmpty else {
            return .close(RedisError(.protocolViolation, "the server answered what nobody asked"))
        }
        if batches[0].reply == nil { batches[0].reply = (now, isExact) }
        batches[0].missing -= 1
        if batches[0].waiter != nil {
            bytesHeld += bytes
            guard bytesHeld <= limits.pipelineBytes else {
                return .close(RedisError(.protocolViolation, "the replies of a pipeline are larger than the limit"))
            }
            batches[0].replies.append(value)
        }
        guard batches[0].missing == 0 else { return .wait }

        let batch = batches.removeFirst()
        firstID += 1
        firstSince = now
        commandsInFlight -= batch.commands
        bytesInFlight -= batch.bytes
        bytesAwaited -= batch.bytes + batch.expected
        bytesHeld = 0
        guard let waiter = batch.waiter else { return .wait }
        waiters -= 1
        return .deliver(waiter, batch.replies, isLate: isLate(batch))
    }

    /// Returns true if the server took too long for a batch; learns from it if not.
    private mutating func isLate(_ batch: Batch) -> Bool {
        let isProbe = batch.timeout == .probe
        guard isProbe || batch.timeout == .adaptive, let flushedAt = batch.flushedAt, let reply = batch.reply,
            reply.isExact
        else { return false }
        let time = reply.at - flushedAt
        guard isProbe || time <= adaptiveTimeout.current else { return true }
        adaptiveTimeout.replied(after: time, at: reply.at)
        return false
    }
}

// MARK: Time
extension ConnectionState {
    enum Verdict: Hashable {
        case alive
        /// The oldest batch is overdue by more than the connection's patience.
        case dead
    }

    /// Looks at the clock: makes tombstones of the batches whose deadline has passed, and returns their waiters.
    mutating func expire(now: NIODeadline) -> (waiters: [Waiter], verdict: Verdict) {
        adaptiveTimeout.advance(to: now)
        let overdue = batches.indices.filter { index in
            batches[index].waiter != nil && deadline(of: batches[index]).map { $0 <= now } == true
        }
        if overdue.contains(where: { batches[$0].timeout == .adaptive }) { adaptiveTimeout.expired() }
        return (overdue.compactMap { bury($0) }, deathTime.map { $0 <= now } == true ? .dead : .alive)
    }

    /// When `expire` has something to do next, or nil while nothing is in flight.
    var nextExpiry: NIODeadline? {
        let deadlines = batches.lazy.filter { $0.waiter != nil }.compactMap { deadline(of: $0) }
        return earlier(deathTime, deadlines.min())
    }

    /// Returns true if something is overdue and nothing was read since it became so: what it waits for may have come.
    func isUnread(at now: NIODeadline) -> Bool {
        nextExpiry.map { $0 <= now && readAt < $0 } == true
    }

    /// Returns true if something is overdue by more than callers can wait for a process that does not read.
    func isHopeless(at now: NIODeadline) -> Bool {
        nextExpiry.map { $0 + adaptiveTimeout.bounds.longest <= now } == true
    }

    /// When the connection counts as dead if the server stays silent, or nil while nothing is in flight.
    var deathTime: NIODeadline? {
        guard let first = batches.first, let flushedAt = first.flushedAt else { return nil }
        return max(flushedAt + timeout(of: first), firstSince) + patience
    }

    /// When the caller of a batch waits no longer; nil until the batch is handed to the socket.
    ///
    /// As long as the server sends, it is there: what waits behind others is given up by the adaptive timeout only once
    /// the server has sent nothing for so long, or at the timeout's upper bound.
    private func deadline(of batch: Batch) -> NIODeadline? {
        guard let flushedAt = batch.flushedAt else { return nil }
        return switch batch.timeout {
        case .fixed(let timeout): flushedAt + timeout
        case .probe: flushedAt + adaptiveTimeout.bounds.longest
        case .adaptive:
            min(max(flushedAt, readAt) + adaptiveTimeout.current, flushedAt + adaptiveTimeout.bounds.longest)
        }
    }

    private func timeout(of batch: Batch) -> TimeAmount {
        switch batch.timeout {
        case .fixed(let timeout): timeout
        case .adaptive: adaptiveTimeout.current
        case .probe: adaptiveTimeout.bounds.longest
        }
    }

    private func earlier(_ one: NIODeadline?, _ other: NIODeadline?) -> NIODeadline? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }
}

// MARK: Ending
extension ConnectionState {
    /// Takes no more commands. The connection can be closed as soon as it `isDrained`.
    mutating func drain() {
        if phase == .open { phase = .draining }
    }

    /// Whether the connection was told to drain, and nobody waits for a reply.
    var isDrained: Bool {
        phase == .draining && waiters == 0
    }

    /// The connection ends. Returns whoever waited for a reply, the oldest first.
    mutating func close() -> [Waiter] {
        phase = .closed
        let left = batches.compactMap(\.waiter)
        firstID += batches.count
        batches = []
        (commandsInFlight, bytesInFlight, bytesAwaited, bytesHeld, waiters) = (0, 0, 0, 0, 0)
        return left
    }
}
