import CoreMetrics
import Larder
import Logging
import NIOConcurrencyHelpers
import RedisClient

/// The delivery of invalidations to the log in Redis.
///
/// It begins a log if there is none, writes invalidations to it, and queues those that Redis has not confirmed. As long
/// as an invalidation waits, no stored response in Redis is used.
final class InvalidationDelivery: Sendable {
    /// The continuation of an invalidation that waits for its acknowledgement; resumed with true if it was
    /// acknowledged.
    typealias Waiter = CheckedContinuation<Bool, Never>

    struct State: Sendable {
        var outbox = Outbox()
        var acknowledgements = AcknowledgementQueue<Waiter>()
        var lastWaiter: UInt64 = 0
        /// True if the invalidations that wait are being sent.
        var isDelivering = false
        /// True if the store has stopped, so that nothing is delivered any more.
        var isStopped = false
        /// The time since which Redis has not taken invalidations; nil if it took the last one. Before the first
        /// connection it has taken none.
        var overdueSince: ContinuousClock.Instant? = .now
    }

    let names: RedisNames
    let failsafe: Failsafe
    let metrics: RedisMetrics
    /// The longest time that an invalidation waits for its acknowledgement.
    let timeout: Duration
    let state: NIOLockedValueBox<State>
    /// The tasks that deliver in the background.
    let tasks = BackgroundTasks()
    let logSize: LogSize
    /// The run ID of the server that was connected last; empty if the server does not report one.
    private let lastRunID = NIOLockedValueBox("")
    /// The state of the log when it was last read.
    let logState = NIOLockedValueBox<LogState?>(nil)
    /// The logs of other formats that were found last.
    let knownFormats = NIOLockedValueBox<[String]>([])
    /// True if a warning was logged that Redis has little memory for the invalidation log.
    let isSizeReported = NIOLockedValueBox(false)
    /// True if it was logged that invalidations stay pending.
    private let isWaiting = NIOLockedValueBox(false)
    /// The read version of responses that are fetched while the log cannot be read; no log ever has its epoch.
    private let localVersion = LogVersion(epoch: .new(), number: 0)
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

    /// The number of invalidation scopes that wait for delivery.
    var pendingCount: Int { state.withLockedValue { $0.outbox.count } }
}

// MARK: - Without Redis

extension InvalidationDelivery {
    /// The result of a look-up without Redis.
    var unknownLookup: Lookup { .unknown(at: localVersion) }

    /// The validity without Redis of a stored response, or of one that was fetched.
    var unknownValidity: Validity { .unknown(at: localVersion) }

    /// Returns true if a read version is that of a response which was fetched while the log could not be read.
    func isLocal(_ readVersion: LogVersion) -> Bool { readVersion == localVersion }

    /// True if stored responses in Redis may be used: no invalidation waits for delivery.
    var isTrusted: Bool { pendingCount == 0 }
}

// MARK: - With Redis

extension InvalidationDelivery {
    /// Reads the reply of the log's list about some scopes, and the replies of the log's tables that follow it. If
    /// there is no log, or one of its tables is lost, a new log is begun.
    /// - Returns: Nil if the log cannot be read.
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
                    logState.withLockedValue { $0 = reading.state }
                    return reading
                }
            }
        } catch {
            // A value of another type in the place of the log counts as a missing log.
            let isForeign = error.reply?.code == "WRONGTYPE"
            if isForeign || error.reply == nil { metrics.unreadable("log") }
            guard isForeign else { return nil }
        }
        return await beginLog(reading: members)
    }

    /// Begins a log unless there is one, and reads its list about these scopes.
    /// - Returns: Nil if the log cannot be read.
    private func beginLog(reading members: [String]) async -> LogReading? {
        let runID = lastRunID.withLockedValue { $0 }
        guard let begun = await failsafe.ask([open(runID)])?.first, Self.isConfirmed(begun) else { return nil }
        guard let reply = await failsafe.ask([LogReading.command(names.log, members)])?.first else { return nil }
        return (try? LogReading(reply, of: members)) ?? nil
    }

    /// Returns the questions to the tables that a look-up will need: those for an entry whose read version is so low
    /// that the list cannot answer, as far as is known.
    func tableQuestions(for members: [String], since readVersion: LogVersion?) -> [TableQuestion] {
        guard let readVersion, let logState = logState.withLockedValue({ $0 }),
            logState.readVersion.epoch == readVersion.epoch
        else {
            return []
        }
        let needed =
            readVersion.number < logState.highestMoved ? members.filter { readVersion.number < logState.moved($0) } : []
        return needed.isEmpty ? [] : TableQuestion.all(needed, logState)
    }

    /// Adds the replies of the tables about the scopes whose versions the list does not have.
    /// - Returns: Nil if the log cannot be read.
    func reading(_ reading: LogReading, adding members: Set<String>) async -> LogReading? {
        let questions = TableQuestion.all(members.sorted(), reading.state)
        guard let replies = await failsafe.ask(questions.map { $0.command(names) }), replies.count == questions.count
        else { return nil }
        var reading = reading
        do throws(RedisError) {
            for (reply, question) in zip(replies, questions) {
                if try reading.add(reply, to: question) { continue }
                return await beginLog(reading: reading.members)
            }
            return reading
        } catch {
            if error.reply == nil { metrics.unreadable("log") }
            return nil
        }
    }

    /// Prepares a server that was just connected: makes sure of its log, and delivers the invalidations that wait and
    /// those that the server may have lost, before any of its stored responses is used.
    func prepare(_ connection: RedisConnection, _ server: RedisServer) async throws {
        guard server.role == "master" else {
            throw RedisError(
                .unavailable,
                "the server is a \(server.role): expected a master, since the log of a replica may be outdated"
            )
        }
        if let major = server.version.split(separator: ".").first.flatMap({ Int($0) }), major < 7 {
            throw RedisError(.unavailable, "the server is Redis \(server.version): expected Redis 7 or later")
        }
        // Another connection may be preparing another server at this moment.
        let runID = server.runID ?? ""
        let (turn, replay) = state.withLockedValue { state in
            // A server that reports a run ID needs no replay of what was delivered: with another run ID the log is
            // begun again.
            (state.outbox.turn, state.outbox.replay(at: .now, all: runID.isEmpty))
        }
        let found = try await connection.pipeline(otherFormats, deadline: max(timeout, .seconds(2)))
        noteOtherFormats(found)
        await warnOfSize(connection)
        try await confirmed(open(runID), by: connection)
        for batch in Self.batches(replay) {
            try await confirmed(command(batch, runID), by: connection)
            state.withLockedValue { $0.outbox.replayed(batch, sentAt: turn, now: .now) }
        }
        lastRunID.withLockedValue { $0 = runID }
        confirm()
        report()
        failsafe.connected()
    }

    /// Sends a command to a server that was just connected.
    /// - Throws: `RedisError` if the server does not confirm the command.
    private func confirmed(_ command: RedisCommand, by connection: RedisConnection) async throws {
        let reply = try await connection.send(command, deadline: max(timeout, .seconds(2)))
        guard Self.isConfirmed(reply) else {
            throw RedisError(.unexpectedReply, "the invalidation log cannot be written: \(reply)")
        }
    }

    private func open(_ runID: String) -> RedisCommand {
        .run(Scripts.open, keys: names.logKeys, arguments: beginning(runID))
    }

    /// Returns the command that invalidates scopes on the server that was connected last, or on one with another run
    /// ID.
    func command(_ scopes: [InvalidationScope], _ runID: String? = nil) -> RedisCommand {
        let entries = scopes.flatMap { names.entries(of: $0) }
        let runID = runID ?? lastRunID.withLockedValue { $0 }
        let arguments = beginning(runID) + [.integer(Int64(logSize.listLimit))] + scopes.map { .text($0.member) }
        return .run(Scripts.invalidate, keys: names.logKeys + entries, arguments: arguments)
    }

    /// Returns the arguments from which a script begins a log: a new epoch, the server's run ID and the size of the
    /// tables.
    private func beginning(_ runID: String) -> [RedisCommand.Argument] {
        let epoch = LogVersion.Epoch.newInRedis()
        return [
            .text(String(epoch.high)), .text(String(epoch.low)), .text(runID),
            .integer(Int64(logSize.tables.cells)),
        ]
    }

    static func isConfirmed(_ reply: RESPValue) -> Bool {
        ((try? LogReading(reply)) ?? nil) != nil
    }

    /// The largest number of scopes in one command: Redis executes nothing else while it writes them.
    static let batchSize = 100

    static func batches(_ scopes: [InvalidationScope]) -> [[InvalidationScope]] {
        stride(from: 0, to: scopes.count, by: batchSize).map { Array(scopes[$0..<min($0 + batchSize, scopes.count)]) }
    }

    /// Updates the metrics, and logs when the first invalidation stays pending and when none waits any more.
    func report(isPending: Bool = false) {
        let (count, hasChanged) = isWaiting.withLockedValue { wasWaiting in
            let count = pendingCount
            let isWaiting = count > 0 && (wasWaiting || isPending)
            defer { wasWaiting = isWaiting }
            return (count, isWaiting != wasWaiting)
        }
        metrics.pendingInvalidations.record(count)
        guard hasChanged else { return }
        logger.info(count > 0 ? "Invalidations wait for Redis" : "Redis has confirmed the invalidations that waited")
    }

    /// Reports that a first connection takes commands, or that the last one has closed.
    func serverChanged() {
        failsafe.report()
    }
}

/// A link from a client to its delivery. The delivery is set later, because it is created with the client.
final class DeliveryLink: Sendable {
    private let linked = NIOLockedValueBox<InvalidationDelivery?>(nil)

    var delivery: InvalidationDelivery? {
        get { linked.withLockedValue { $0 } }
        set { linked.withLockedValue { $0 = newValue } }
    }

    func prepare(_ connection: RedisConnection, _ server: RedisServer) async throws {
        try await delivery?.prepare(connection, server)
    }
}

extension RedisNames {
    /// Returns the entries of an invalidation scope that can be named without a search. Their read versions make them
    /// invalid; removing them as well frees their memory and keeps the count of keys exact.
    fileprivate func entries(of scope: InvalidationScope) -> [String] {
        switch scope {
        case .key(let key): entry(key).map { [$0] } ?? []
        case .path(let path): ["", "/"].compactMap { CacheKey("GET:\(path)\($0)").flatMap(entry) }
        case .prefix, .tag, .everything: []
        }
    }
}
