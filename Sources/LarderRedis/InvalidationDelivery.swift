import CoreMetrics
import Larder
import Logging
import NIOConcurrencyHelpers
import RedisClient

/// Looks after the ledger in Redis: makes sure that there is one, stamps, and keeps what could not be stamped until it
/// is. As long as something waits, nothing that Redis keeps is trusted.
final class InvalidationDelivery: Sendable {
    /// The continuation of an invalidation that waits for its acknowledgement; resumed with whether it has it.
    typealias Waiter = CheckedContinuation<Bool, Never>

    struct State: Sendable {
        var outbox = Outbox()
        var acknowledgements = AcknowledgementQueue<Waiter>()
        var lastWaiter: UInt64 = 0
        /// True if what waits is being sent.
        var isDelivering = false
        /// True if the store has stopped, so that nothing is delivered any more.
        var isStopped = false
        /// Since when Redis does not take invalidations; nil if it did the last time. Until it has first been met it
        /// has taken none.
        var overdueSince: ContinuousClock.Instant? = .now
    }

    let names: RedisNames
    let failsafe: Failsafe
    let metrics: RedisMetrics
    /// How long an invalidation waits for its acknowledgement.
    let timeout: Duration
    let state: NIOLockedValueBox<State>
    /// What delivers in the background.
    let tasks = BackgroundTasks()
    let logSize: LogSize
    /// The life of the server that was met last; empty if it does not tell.
    private let run = NIOLockedValueBox("")
    /// How far the log had come when it was last read.
    let standing = NIOLockedValueBox<LogStanding?>(nil)
    /// The logs of other formats that were found last.
    let knownFormats = NIOLockedValueBox<[String]>([])
    /// True if the log was told that Redis has little memory for the invalidation log.
    let isSizeTold = NIOLockedValueBox(false)
    /// True if the log was told that an invalidation stays pending.
    private let isWaiting = NIOLockedValueBox(false)
    /// The version of what is fetched while the log cannot be read; no log ever has its epoch.
    private let localBirth = LogVersion(epoch: .new(), number: 0)
    let logger: Logger

    init(
        names: RedisNames,
        logSize: LogSize,
        timeout: Duration,
        failsafe: Failsafe,
        metrics: RedisMetrics,
        logger: Logger
    ) {
        self.names = names
        self.logSize = logSize
        self.timeout = timeout
        self.failsafe = failsafe
        self.metrics = metrics
        self.logger = logger
        self.state = NIOLockedValueBox(State())
    }

    /// The number of covers that wait to be stamped.
    var pendingCount: Int { state.withLockedValue { $0.outbox.count } }
}

// MARK: - Without Redis

extension InvalidationDelivery {
    /// What a look-up finds without Redis.
    var unknownLookup: Lookup { .unknown(at: localBirth) }

    /// What is said without Redis of a stored response, or of one that was fetched.
    var unknownVerdict: Verdict { .unknown(at: localBirth) }

    /// Returns true if something was fetched while the log could not be read.
    func isLocal(_ readVersion: LogVersion) -> Bool { readVersion == localBirth }

    /// Whether what Redis keeps may be trusted: nothing waits that it does not know of.
    var isTrusted: Bool { pendingCount == 0 }
}

// MARK: - With Redis

extension InvalidationDelivery {
    /// Reads the log's answer for some scopes, and from the replies that follow it those of its tables. If there is no
    /// log, or one of its tables is lost, another log is begun.
    /// - Returns: nil if Redis does not tell.
    func reading(
        _ replies: ArraySlice<RESPValue>,
        of members: [String],
        _ questions: [TableQuestion] = []
    ) async -> LogReading? {
        guard let first = replies.first, replies.count == 1 + questions.count else { return nil }
        do throws(RedisError) {
            if var reading = try LogReading(first, of: members) {
                var isWhole = true
                for (reply, question) in zip(replies.dropFirst(), questions) {
                    isWhole = try reading.add(reply, to: question) && isWhole
                }
                if isWhole {
                    standing.withLockedValue { $0 = reading.standing }
                    return reading
                }
            }
        } catch {
            // Something else where the log should be is no log, like nothing at all.
            let isForeign = error.reply?.code == "WRONGTYPE"
            if isForeign || error.reply == nil { metrics.unreadable("log") }
            guard isForeign else { return nil }
        }
        return await begin(reading: members)
    }

    /// Makes sure of a log, and reads the list of it.
    /// - Returns: nil if Redis does not tell.
    private func begin(reading members: [String]) async -> LogReading? {
        let life = run.withLockedValue { $0 }
        guard let begun = await failsafe.ask([open(life)])?.first, Self.isConfirmed(begun) else { return nil }
        guard let reply = await failsafe.ask([LogReading.command(names.log, members)])?.first else { return nil }
        return (try? LogReading(reply, of: members)) ?? nil
    }

    /// Returns the questions to the tables that a look-up will need: those for an entry so old that the list does not
    /// tell, as far as is known.
    func tableQuestions(for members: [String], since readVersion: LogVersion?) -> [TableQuestion] {
        guard let readVersion, let standing = standing.withLockedValue({ $0 }),
            standing.readVersion.epoch == readVersion.epoch
        else {
            return []
        }
        let needed =
            readVersion.number < standing.highestMoved ? members.filter { readVersion.number < standing.moved($0) } : []
        return needed.isEmpty ? [] : TableQuestion.all(needed, standing)
    }

    /// Reads the tables for what a reading of the list leaves open.
    /// - Returns: nil if Redis does not tell.
    func reading(_ reading: LogReading, adding members: Set<String>) async -> LogReading? {
        let questions = TableQuestion.all(members.sorted(), reading.standing)
        guard let replies = await failsafe.ask(questions.map { $0.command(names) }), replies.count == questions.count
        else { return nil }
        var reading = reading
        do throws(RedisError) {
            for (reply, question) in zip(replies, questions) {
                if try reading.add(reply, to: question) { continue }
                return await begin(reading: reading.members)
            }
            return reading
        } catch {
            if error.reply == nil { metrics.unreadable("log") }
            return nil
        }
    }

    /// A server was met: makes sure of its ledger, and stamps what waits and what was stamped of late, before anybody
    /// trusts what it keeps.
    func meet(_ connection: RedisConnection, _ server: RedisServer) async throws {
        guard server.role == "master" else {
            throw RedisError(.unavailable, "the server is a \(server.role): its log may lag behind")
        }
        if let major = server.version.split(separator: ".").first.flatMap({ Int($0) }), major < 7 {
            throw RedisError(.unavailable, "the server is Redis \(server.version); 7 is the first that will do")
        }
        // Another connection may be meeting another server at this moment.
        let life = server.runID ?? ""
        let (turn, replay) = state.withLockedValue { state in
            // A server that tells one life from another has forgotten nothing: a log of another life is begun again.
            (state.outbox.turn, state.outbox.replay(at: .now, all: life.isEmpty))
        }
        let found = try await connection.pipeline(otherFormats, deadline: max(timeout, .seconds(2)))
        noteOtherFormats(found)
        await warnOfSize(connection)
        try await confirmed(open(life), by: connection)
        for batch in Self.batches(replay) {
            try await confirmed(command(batch, life), by: connection)
            state.withLockedValue { $0.outbox.replayed(batch, sentAt: turn, now: .now) }
        }
        run.withLockedValue { $0 = life }
        confirm()
        tell()
        failsafe.met()
    }

    /// Sends a command to a server that is being met.
    /// - Throws: if it does not confirm it.
    private func confirmed(_ command: RedisCommand, by connection: RedisConnection) async throws {
        let reply = try await connection.send(command, deadline: max(timeout, .seconds(2)))
        guard Self.isConfirmed(reply) else {
            throw RedisError(.unexpectedReply, "the log cannot be kept: \(reply)")
        }
    }

    private func open(_ life: String) -> RedisCommand {
        .run(Scripts.open, keys: names.logKeys, arguments: beginning(life))
    }

    /// Returns the command that invalidates scopes on the server that was met last, or on one of another life.
    func command(_ scopes: [InvalidationScope], _ life: String? = nil) -> RedisCommand {
        let entries = scopes.flatMap { names.entries(of: $0) }
        let life = life ?? run.withLockedValue { $0 }
        let arguments = beginning(life) + [.integer(Int64(logSize.listLimit))] + scopes.map { .text($0.member) }
        return .run(Scripts.invalidate, keys: names.logKeys + entries, arguments: arguments)
    }

    /// What a log that has to be begun is given: a new epoch, the life of the server, and the size of its tables.
    private func beginning(_ life: String) -> [RedisCommand.Argument] {
        let epoch = LogVersion.Epoch.newInRedis()
        return [
            .text(String(epoch.high)), .text(String(epoch.low)), .text(life),
            .integer(Int64(logSize.tables.cells)),
        ]
    }

    static func isConfirmed(_ reply: RESPValue) -> Bool {
        ((try? LogReading(reply)) ?? nil) != nil
    }

    /// The most scopes of one command: Redis does nothing else while it writes them.
    static let batchSize = 100

    static func batches(_ scopes: [InvalidationScope]) -> [[InvalidationScope]] {
        stride(from: 0, to: scopes.count, by: batchSize).map { Array(scopes[$0..<min($0 + batchSize, scopes.count)]) }
    }

    /// Brings the metrics up to date, and logs when the first invalidation stays pending, and when none waits any more.
    func tell(isPending: Bool = false) {
        let (count, isNews) = isWaiting.withLockedValue { wasWaiting in
            let count = pendingCount
            let isWaiting = count > 0 && (wasWaiting || isPending)
            defer { wasWaiting = isWaiting }
            return (count, isWaiting != wasWaiting)
        }
        metrics.pendingInvalidations.record(count)
        guard isNews else { return }
        logger.info(count > 0 ? "Invalidations wait for Redis" : "Redis has the invalidations that waited")
    }

    /// A first connection takes commands, or the last is gone.
    func serverChanged() {
        failsafe.tell()
    }
}

/// Stands between a client and what looks after its ledger, which need one another to be made.
final class Greeter: Sendable {
    private let known = NIOLockedValueBox<InvalidationDelivery?>(nil)

    var delivery: InvalidationDelivery? {
        get { known.withLockedValue { $0 } }
        set { known.withLockedValue { $0 = newValue } }
    }

    func meet(_ connection: RedisConnection, _ server: RedisServer) async throws {
        try await delivery?.meet(connection, server)
    }
}

extension RedisNames {
    /// The entries that a cover covers and that can be named without looking for them. They are dead by their stamps;
    /// to let go of them as well gives their memory back, and keeps the count of keys honest.
    fileprivate func entries(of scope: InvalidationScope) -> [String] {
        switch scope {
        case .key(let key): entry(key).map { [$0] } ?? []
        case .path(let path): ["", "/"].compactMap { CacheKey("GET:\(path)\($0)").flatMap(entry) }
        case .prefix, .tag, .everything: []
        }
    }
}
