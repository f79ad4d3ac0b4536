import DequeModule
import NIOCore

/// The commands in flight on one connection, and the effect of each event on them.
///
/// Redis answers in the order of the commands, so they wait in a queue of *batches*: the commands that one caller sent
/// together. A batch whose caller has left, by cancellation or deadline, stays in the queue as a *tombstone*. It
/// discards its replies when they come, so that the replies to later batches reach the right callers, and other callers
/// on the connection are not affected.
///
/// `Waiter` is the type of the receivers of results: a continuation, or a name in a test.
struct ConnectionState<Waiter> {
    private enum Phase {
        /// Commands are sent and answered. The next phase is `draining` or `closed`.
        case open
        /// Further commands are rejected; those in flight are still answered. The next phase is `closed`.
        case draining
        /// No caller waits any more. This phase is final.
        case closed
    }

    private struct Batch {
        /// The receiver of the result; nil for a tombstone.
        var waiter: Waiter?
        var replies: [RESPValue] = []
        var missing: Int
        let commands: Int
        let bytes: Int
        /// The bytes that its replies are expected to have.
        let expected: Int
        let timeout: ReplyTimeout
        /// The time at which it was flushed to the socket; nil until then. The time before that is not spent by the
        /// server.
        var flushedAt: NIODeadline?
        /// The time at which the first bytes of its replies were read.
        var reply: (at: NIODeadline, isExact: Bool)?
    }

    private let limits: RESPLimits
    /// The time for which the oldest batch may be overdue before the connection counts as lost.
    private let silenceLimit: TimeAmount
    private var phase = Phase.open
    private var batches: Deque<Batch> = []
    /// The ID of the oldest batch. Batches are numbered without gaps, so that an ID gives the position in the queue.
    private var firstID = 1
    /// The time at which the oldest batch became the oldest: the time before that is not its delay.
    private var firstSince = NIODeadline.uptimeNanoseconds(0)
    private var commandsInFlight = 0
    private var bytesInFlight = 0
    /// The bytes of the commands that are not answered yet, and of the replies that are expected to them.
    private(set) var bytesAwaited = 0
    /// The bytes of the replies that the oldest batch has received. No other batch can have any.
    private var bytesHeld = 0
    private var waiters = 0
    private var adaptiveTimeout: AdaptiveTimeout
    /// The time of the last read.
    private var readAt = NIODeadline.uptimeNanoseconds(0)

    init(limits: RESPLimits, silenceLimit: TimeAmount, timeouts: AdaptiveTimeout.Bounds, now: NIODeadline) {
        self.limits = limits
        self.silenceLimit = silenceLimit
        self.adaptiveTimeout = AdaptiveTimeout(timeouts, at: now)
    }
}

// MARK: Sending
extension ConnectionState {
    /// The result of adding a batch.
    enum EnqueueResult {
        /// The batch is to be sent. The ID identifies it if its caller leaves.
        case send(id: Int)
        case refuse(RedisError)
    }

    /// Adds a batch of commands for a caller, or refuses it. The commands are encoded in `bytes` bytes.
    mutating func enqueue(
        _ waiter: Waiter,
        commands: Int,
        bytes: Int,
        expecting reply: Int = 0,
        timeout: ReplyTimeout
    ) -> EnqueueResult {
        precondition(commands > 0, "A batch must have at least one command: an empty one would never be answered.")
        guard phase == .open else { return .refuse(RedisError(.unavailable, "the connection is closing")) }
        guard commands <= limits.commandsInFlight - commandsInFlight, bytes <= limits.bytesInFlight - bytesInFlight
        else {
            let load = "\(commandsInFlight) commands of \(bytesInFlight) bytes"
            return .refuse(RedisError(.overloaded, "the connection has \(load) in flight"))
        }
        // The expected size is an estimate of the caller, which must not overflow the sum.
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

    /// Records that everything sent so far was flushed to the socket. Returns the earliest deadline of the newly
    /// flushed batches.
    mutating func flush(now: NIODeadline) -> NIODeadline? {
        var next: NIODeadline?
        for index in batches.indices.reversed() {
            guard batches[index].flushedAt == nil else { break }
            batches[index].flushedAt = now
            next = earlier(next, deadline(of: batches[index]))
        }
        return next
    }

    /// Makes a tombstone of a batch because its caller has left. Returns its waiter unless it has been served already.
    mutating func abandon(_ id: Int) -> Waiter? {
        guard batches.indices.contains(id - firstID) else { return nil }
        return removeWaiter(id - firstID)
    }

    /// Makes a tombstone of a batch.
    private mutating func removeWaiter(_ index: Int) -> Waiter? {
        guard let waiter = batches[index].waiter.take() else { return nil }
        batches[index].replies = []
        if index == 0 { bytesHeld = 0 }
        waiters -= 1
        return waiter
    }
}

// MARK: Receiving
extension ConnectionState {
    /// The action that follows from a reply.
    enum ReceiveResult {
        /// Nothing is to be done: more replies of the same batch are to come, or a tombstone discarded this one.
        case wait
        /// A batch is complete.
        /// - `isLate`: the server began to answer after the adaptive timeout.
        case deliver(Waiter, [RESPValue], isLate: Bool)
        case close(RedisError)
    }

    /// Records that bytes were read, or that some are left that belong to the next reply.
    /// - Parameter isExact: True if they were read as soon as they came; otherwise the server's time is not known.
    mutating func read(now: NIODeadline, isExact: Bool) {
        readAt = now
        guard !batches.isEmpty, batches[0].reply == nil else { return }
        batches[0].reply = (now, isExact)
    }

    /// Takes in a reply that had `bytes` bytes on the wire.
    mutating func receive(_ value: RESPValue, bytes: Int, now: NIODeadline, isExact: Bool) -> ReceiveResult {
        guard phase != .closed else { return .wait }
        guard !batches.isEmpty else {
            return .close(RedisError(.protocolViolation, "the server sent a reply without a command"))
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

    /// Returns true if the server took too long for a batch; otherwise records the time as a sample.
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
    /// The state of a server that has not answered, by the connection's silence limit.
    enum Silence: Hashable {
        case tolerable
        /// The oldest batch is overdue by more than the connection's silence limit.
        case tooLong
    }

    /// Makes tombstones of the batches whose deadline has passed, and returns their waiters.
    mutating func expire(now: NIODeadline) -> (waiters: [Waiter], silence: Silence) {
        adaptiveTimeout.advance(to: now)
        let overdue = batches.indices.filter { index in
            batches[index].waiter != nil && deadline(of: batches[index]).map { $0 <= now } == true
        }
        if overdue.contains(where: { batches[$0].timeout == .adaptive }) { adaptiveTimeout.expired() }
        return (
            overdue.compactMap { removeWaiter($0) }, silenceDeadline.map { $0 <= now } == true ? .tooLong : .tolerable
        )
    }

    /// The time at which `expire` has something to do next, or nil while nothing is in flight.
    var nextExpiry: NIODeadline? {
        let deadlines = batches.lazy.filter { $0.waiter != nil }.compactMap { deadline(of: $0) }
        return earlier(silenceDeadline, deadlines.min())
    }

    /// Returns true if something is overdue and nothing was read since it became so: its reply may have arrived unread.
    func isUnread(at now: NIODeadline) -> Bool {
        nextExpiry.map { $0 <= now && readAt < $0 } == true
    }

    /// Returns true if something is overdue by the adaptive timeout's upper bound or more: then callers do not wait any
    /// longer for this process to read.
    func isLongOverdue(at now: NIODeadline) -> Bool {
        nextExpiry.map { $0 + adaptiveTimeout.bounds.longest <= now } == true
    }

    /// The time at which the connection counts as lost if the server stays silent, or nil while nothing is in flight.
    var silenceDeadline: NIODeadline? {
        guard let first = batches.first, let flushedAt = first.flushedAt else { return nil }
        return max(flushedAt + timeout(of: first), firstSince) + silenceLimit
    }

    /// Returns the time until which the caller of a batch waits, or nil until the batch is flushed to the socket.
    ///
    /// As long as the server sends data, it is reachable: a batch that waits behind others is given up by the adaptive
    /// timeout only once the server has sent nothing for that long, or at the timeout's upper bound.
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
    /// Rejects further commands. The connection can be closed as soon as it `isDrained`.
    mutating func drain() {
        if phase == .open { phase = .draining }
    }

    /// True if the connection is draining and no caller waits for a reply.
    var isDrained: Bool {
        phase == .draining && waiters == 0
    }

    /// Ends the connection. Returns the waiters that are left, the oldest first.
    mutating func close() -> [Waiter] {
        phase = .closed
        let left = batches.compactMap(\.waiter)
        firstID += batches.count
        batches = []
        (commandsInFlight, bytesInFlight, bytesAwaited, bytesHeld, waiters) = (0, 0, 0, 0, 0)
        return left
    }
}
