import CoreMetrics
import Larder
import Logging
import NIOConcurrencyHelpers
import RedisClient

/// The warnings about a server on which the invalidation log cannot work as it should.
extension InvalidationDelivery {
    // MARK: Other formats

    /// The commands that ask for logs of other formats in the namespace: processes that use them do not see the
    /// invalidations of this process, and this process does not see theirs.
    var otherFormats: [RedisCommand] { names.otherLogs.map { RedisCommand("EXISTS", .text($0)) } }

    /// Looks for logs of other formats again, because a process of another version may have started meanwhile.
    func lookForOtherFormats() async {
        if let replies = await failsafe.ask(otherFormats) { noteOtherFormats(replies) }
    }

    /// Reads the replies to ``otherFormats``: counts the logs that exist, and warns about those that are new.
    func noteOtherFormats(_ replies: [RESPValue]) {
        let found = zip(names.otherLogs, replies).filter { $1 == .integer(1) }.map(\.0)
        metrics.otherFormats.record(found.count)
        let hasNew = knownFormats.withLockedValue { known in
            defer { known = found }
            return !found.allSatisfy(known.contains)
        }
        guard hasNew else { return }
        logger.warning(
            """
            The namespace has an invalidation log of another format, and processes with different formats do not see \
            each other's invalidations. Stop all processes of one version before those of the other start, and delete \
            the log of the version that was stopped
            """,
            metadata: ["logs": "\(found.joined(separator: ", "))", "format": "\(RedisNames.format)"]
        )
    }

    // MARK: Memory

    /// Warns once if the invalidation log may take more than a quarter of the server's memory. Redis does not evict the
    /// log, so its memory is not available for responses.
    func warnOfSize(_ connection: RedisConnection) async {
        guard let memory = try? await connection.info("memory", deadline: max(timeout, .seconds(2))),
            let most = memory["maxmemory"].flatMap({ Int($0) }), most > 0, logSize.limit.bytes > most / 4
        else { return }
        let isFirst = isSizeReported.withLockedValue { wasLogged in
            defer { wasLogged = true }
            return !wasLogged
        }
        guard isFirst else { return }
        logger.warning(
            "The invalidation log may take more than a quarter of the memory of Redis: lower its limit, or raise maxmemory",
            metadata: ["invalidation-log": "\(logSize.limit)", "maxmemory": "\(ByteCount.bytes(most))"]
        )
    }
}
