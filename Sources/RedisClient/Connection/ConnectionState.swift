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
        let deadline: NIODeadline
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

    init(limits: RESPLimits, patience: TimeAmount) {
        self.limits = limits
        self.patience = patience
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
        deadline: NIODeadline
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
                deadline: deadline
            )
        )
        commandsInFlight += commands
        bytesInFlight += bytes
        bytesAwaited += bytes + expected
        waiters += 1
        return .send(id: firstID + batches.count - 1)
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
        case deliver(Waiter, [RESPValue])
        case close(RedisError)
    }

    /// A reply of so many bytes has arrived.
    mutating func receive(_ value: RESPValue, bytes: Int, now: NIODeadline) -> Reception {
        guard phase != .closed else { return .wait }
        guard !batches.isEmpty else {
            return .close(RedisError(.protocolViolation, "the server answered what nobody asked"))
        }
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
        return .deliver(waiter, batch.replies)
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
        let expired = batches.indices.filter { batches[$0].deadline <= now }.compactMap { bury($0) }
        return (expired, deathTime.map { $0 <= now } == true ? .dead : .alive)
    }

    /// When `expire` has something to do next, or nil while nothing is in flight.
    var nextExpiry: NIODeadline? {
        let deadlines = batches.lazy.filter { $0.waiter != nil }.map(\.deadline)
        guard let deathTime else { return nil }
        return min(deathTime, deadlines.min() ?? deathTime)
    }

    /// When the connection counts as dead if the server stays silent, or nil while nothing is in flight.
    var deathTime: NIODeadline? {
        batches.first.map { max($0.deadline, firstSince) + patience }
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
