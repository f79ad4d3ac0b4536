import CoreMetrics
import Larder
import Logging
import NIOConcurrencyHelpers
import RedisClient

/// Looks after the ledger in Redis: makes sure that there is one, stamps, and keeps what could not be stamped until it
/// is. As long as something waits, nothing that Redis keeps is trusted.
///
/// Meanwhile the process goes on with a ledger of its own, in which every invalidation covers everything: it keeps
/// those who ask after a write from waiting for a fetch that began before it.
final class LedgerTender: Sendable {
    private let names: RedisNames
    private let stampLimit: Int
    private let failsafe: Failsafe
    private let outbox = NIOLockedValueBox(Outbox())
    /// The life of the server that was met last; empty where it does not tell.
    private let run = NIOLockedValueBox("")
    private let localEpoch = Birth.Epoch.new()
    /// Whether the log was told that something waits.
    private let isWaiting = NIOLockedValueBox(false)
    private let metrics: RedisMetrics
    private let logger: Logger

    init(names: RedisNames, stampLimit: Int, failsafe: Failsafe, metrics: RedisMetrics, logger: Logger) {
        self.names = names
        self.stampLimit = stampLimit
        self.failsafe = failsafe
        self.metrics = metrics
        self.logger = logger
    }

    /// The number of covers that wait to be stamped.
    var pendingCount: Int { outbox.withLockedValue { $0.count } }
}

// MARK: - Without Redis

extension LedgerTender {
    /// Where this process's own ledger stands.
    private var local: Birth { Birth(epoch: localEpoch, number: outbox.withLockedValue { $0.turn }) }

    /// What a look-up finds without Redis.
    var localLookup: Lookup {
        let local = local
        return Lookup(entries: [], birth: local, newestStamp: local.number)
    }

    /// Whether something was born without Redis.
    func isLocal(_ birth: Birth) -> Bool { birth.epoch == localEpoch }

    /// What is said of anything without Redis.
    var unknown: Verdict { .unknown(at: local) }

    /// Whether what Redis keeps may be trusted: nothing waits that it does not know of.
    var isTrusted: Bool { pendingCount == 0 }
}

// MARK: - With Redis

extension LedgerTender {
    /// What a reply says of the ledger; where it says that there is none, one is begun.
    func reading(_ reply: RESPValue, of members: [String]) async -> LedgerReading? {
        do throws(RedisError) {
            if let reading = try LedgerReading(reply, of: members) { return reading }
        } catch {
            // Something else where the ledger should be is no ledger, like nothing at all.
            let isForeign = error.reply?.code == "WRONGTYPE"
            if isForeign || error.reply == nil { metrics.unreadable("ledger") }
            guard isForeign else { return nil }
        }
        guard let begun = await failsafe.ask([open])?.first else { return nil }
        return (try? LedgerReading(begun)) ?? nil
    }

    /// Stamps covers, with all that waits.
    /// - Throws: `InvalidationError.queued` where Redis did not confirm it. Then it waits.
    func invalidate(_ covers: [Cover]) async throws(InvalidationError) {
        let isAlone = outbox.withLockedValue { outbox in
            outbox.begin()
            if outbox.count > 0 { outbox.add(covers) }
            return outbox.count == 0
        }
        if isAlone {
            guard await !stamp(covers) else { return }
            outbox.withLockedValue { $0.add(covers) }
            tell()
        } else {
            guard await !deliver() else { return }
        }
        throw .queued
    }

    /// Stamps what waits; whether nothing waits any more.
    @discardableResult
    func deliver() async -> Bool {
        while true {
            let covers = outbox.withLockedValue { $0.covers }
            guard !covers.isEmpty else { return true }
            guard await stamp(covers) else { return false }
            tell()
        }
    }

    /// Stamps covers, in bites that do not keep others waiting; whether Redis confirmed all of them.
    private func stamp(_ covers: [Cover]) async -> Bool {
        let turn = outbox.withLockedValue { $0.turn }
        for batch in Self.batches(covers) {
            guard let reply = await failsafe.ask([command(batch)])?.first, Self.isConfirmed(reply) else { return false }
            outbox.withLockedValue { $0.deliver(batch, sentAt: turn, now: .now) }
        }
        return true
    }

    /// A server was met: makes sure of its ledger, and stamps what waits and what was stamped of late, before anybody
    /// trusts what it keeps.
    func meet(_ connection: RedisConnection, _ server: RedisServer) async throws {
        guard server.role == "master" else {
            throw RedisError(.unavailable, "the server is a \(server.role): its ledger may lag behind")
        }
        if let major = server.version.split(separator: ".").first.flatMap({ Int($0) }), major < 7 {
            throw RedisError(.unavailable, "the server is Redis \(server.version); 7 is the first that will do")
        }
        run.withLockedValue { $0 = server.runID ?? "" }
        let turn = outbox.withLockedValue { $0.turn }
        let batches = Self.batches(outbox.withLockedValue { $0.replay(at: .now) })
        let waiting = Set(outbox.withLockedValue { $0.covers })
        for command in [open] + batches.map({ command($0) }) {
            let reply = try await connection.send(command, deadline: .seconds(2))
            guard Self.isConfirmed(reply) else {
                throw RedisError(.unexpectedReply, "the ledger cannot be kept: \(reply)")
            }
        }
        outbox.withLockedValue { $0.deliver(Array(waiting), sentAt: turn, now: .now) }
        tell()
        failsafe.met()
    }

    private var open: RedisCommand {
        .run(Scripts.open, keys: [names.ledger, names.index], arguments: life)
    }

    private func command(_ covers: [Cover]) -> RedisCommand {
        let entries = covers.flatMap { names.entries(of: $0) }
        let arguments = life + [.integer(Int64(stampLimit))] + covers.map { .text($0.member) }
        return .run(Scripts.invalidate, keys: [names.ledger, names.index] + entries, arguments: arguments)
    }

    /// What a ledger that has to be begun is given: a new epoch, and the life of the server.
    private var life: [RedisCommand.Argument] {
        let epoch = Birth.Epoch.newInRedis()
        return [.text(String(epoch.high)), .text(String(epoch.low)), .text(run.withLockedValue { $0 })]
    }

    private static func isConfirmed(_ reply: RESPValue) -> Bool {
        ((try? LedgerReading(reply)) ?? nil) != nil
    }

    private static func batches(_ covers: [Cover]) -> [[Cover]] {
        stride(from: 0, to: covers.count, by: 100).map { Array(covers[$0..<min($0 + 100, covers.count)]) }
    }

    private func tell() {
        let (count, isNews) = isWaiting.withLockedValue { isWaiting in
            let count = pendingCount
            defer { isWaiting = count > 0 }
            return (count, isWaiting != (count > 0))
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
    private let known = NIOLockedValueBox<LedgerTender?>(nil)

    var tender: LedgerTender? {
        get { known.withLockedValue { $0 } }
        set { known.withLockedValue { $0 = newValue } }
    }

    func meet(_ connection: RedisConnection, _ server: RedisServer) async throws {
        try await tender?.meet(connection, server)
    }
}

extension RedisNames {
    /// The entries that a cover covers and that can be named without looking for them. They are dead by their stamps;
    /// to let go of them as well gives their memory back, and keeps the count of keys honest.
    fileprivate func entries(of cover: Cover) -> [String] {
        switch cover {
        case .key(let key): entry(key).map { [$0] } ?? []
        case .path(let path): ["", "/"].compactMap { CacheKey("GET:\(path)\($0)").flatMap(entry) }
        case .prefix, .tag, .everything: []
        }
    }
}
