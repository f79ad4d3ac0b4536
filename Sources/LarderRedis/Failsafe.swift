import CoreMetrics
import Logging
import Metrics
import NIOConcurrencyHelpers
import RedisClient

/// Asks Redis so that nobody is harmed if it does not answer: within a timeout that adapts to its recent replies
/// (`AdaptiveTimeout`), and not at all while it is known to be away.
final class Failsafe: Sendable {
    private let client: RedisClient
    private let breaker: NIOLockedValueBox<Breaker>
    private let news: NIOLockedValueBox<RedisNews>
    private let metrics: RedisMetrics
    private let logger: Logger

    /// - Parameter quiet: how long a refusal has to be the last one before it counts as over.
    init(
        _ client: RedisClient,
        breaker: Breaker,
        quiet: Duration,
        metrics: RedisMetrics,
        logger: Logger
    ) {
        self.client = client
        self.breaker = NIOLockedValueBox(breaker)
        self.news = NIOLockedValueBox(RedisNews(quiet: quiet))
        self.metrics = metrics
        self.logger = logger
        metrics.isAvailable.record(0)
    }

    /// Whether Redis is connected and answers, as far as is known.
    var isAvailable: Bool { isConnected && breaker.withLockedValue { $0.isClosed } }

    /// True if a connection takes commands.
    var isConnected: Bool { client.status.phase == .connected }

    /// Sends commands together. Nil where there is no answer in time, or none is expected: the caller goes on without.
    func ask(_ commands: [RedisCommand]) async -> [RESPValue]? {
        guard breaker.withLockedValue({ $0.isClosed }) else {
            metrics.failed("breaker")
            return nil
        }
        do throws(RedisError) {
            let replies = try await client.pipeline(commands, timeout: .adaptive)
            if replies.isLate {
                metrics.failed("late")
                let change = breaker.withLockedValue { $0.failed(at: .now) }
                if change != .none { tell(because: RedisError(.deadlineExceeded, "the replies are late")) }
            } else if breaker.withLockedValue({ $0.succeeded() }) != .none {
                tell()
            }
            hear(replies.values, to: commands)
            return replies.values
        } catch {
            metrics.failed("\(error.code)")
            switch error.code {
            // Late by its size, which tells nothing of the server.
            case .deadlineExceeded where commands.areLarge: break
            case .deadlineExceeded, .connectionLost, .protocolViolation:
                if breaker.withLockedValue({ $0.failed(at: .now) }) != .none { tell(because: error) }
            // The caller has left, this process has not read the reply, or there is no connection.
            default: break
            }
            return nil
        }
    }

    /// Sends invalidations, and waits for their replies up to a time of their own.
    ///
    /// The breaker does not count here: it is for reads, which can do without Redis. An invalidation goes out whatever
    /// the breaker says, and one that is late keeps no read from Redis.
    func deliver(_ commands: [RedisCommand], within timeout: Duration) async throws(RedisError) -> [RESPValue] {
        do throws(RedisError) {
            let replies = try await client.pipeline(commands, deadline: timeout)
            hear(replies, to: commands)
            return replies
        } catch {
            metrics.failed("\(error.code)")
            throw error
        }
    }

    /// Probes a server that is left alone, if it is time. No request does: a probe may take as long as the upper bound
    /// of the timeout, so that a server that is slower than the timeout and answers is found out about.
    func probe() async {
        guard isConnected, breaker.withLockedValue({ $0.probes(at: .now) }) else { return }
        if await client.probe() {
            if breaker.withLockedValue({ $0.succeeded() }) != .none { tell() }
        } else {
            metrics.failed("\(RedisError.Code.deadlineExceeded)")
            breaker.withLockedValue { $0.probeFailed(at: .now) }
        }
    }

    /// The server was met, and did as it was told.
    func met() {
        news.withLockedValue { $0.forgetRefusals() }
        if breaker.withLockedValue({ $0.succeeded() }) != .none { tell() }
    }

    /// Says so where Redis has gone or is back, once, by whatever it shows.
    func tell(because error: RedisError? = nil) {
        let status = client.status
        let item = news.withLockedValue { news -> RedisNews.Item? in
            // Looked at in here, so that of two who tell the later has seen the later.
            switch client.status.phase {
            case .connecting, .stopped: nil
            case .connected, .down: news.redis(isThere: isAvailable)
            }
        }
        switch item {
        case nil: break
        case .gone:
            metrics.isAvailable.record(0)
            let reason = error ?? status.lastError
            logger.warning(
                "Redis does not answer: going on without it",
                metadata: reason.map { ["error": "\($0)"] } ?? [:]
            )
        case .come:
            metrics.isAvailable.record(1)
            logger.info("Redis is connected", metadata: ["version": "\(status.server?.version ?? "unknown")"])
        case .back:
            metrics.isAvailable.record(1)
            logger.info("Redis answers again")
        }
    }

    /// Looks for errors among the answers: full, read-only, loading. The server is there, so the breaker stays closed.
    private func hear(_ replies: [RESPValue], to commands: [RedisCommand]) {
        for (reply, command) in zip(replies, commands) {
            if case .error(let error) = reply {
                refused(error, command)
            } else if let code = news.withLockedValue({ $0.answered(command, at: .now) }) {
                logger.info("Redis refuses no more", metadata: ["code": "\(code)"])
            }
        }
    }

    private func refused(_ error: RedisReplyError, _ command: RedisCommand) {
        // Expected, and mended by whoever asked.
        guard error.code != "WRONGTYPE" else { return }
        metrics.refused(error.code)
        if error.code == "READONLY" {
            // A server that takes no writes may be a replica now, whose ledger is not to be trusted: meet it anew.
            client.reconnect(because: RedisError(.unavailable, "the server takes no writes", underlying: error))
        } else if news.withLockedValue({ $0.refused(error.code, command, at: .now) }) {
            logger.warning("Redis refuses", metadata: ["error": "\(error)"])
        }
    }
}

/// What a store tells of Redis, besides what the cache tells of itself.
struct RedisMetrics: Sendable {
    /// 1 while Redis answers, 0 while it is left alone.
    let isAvailable: Gauge
    /// The invalidations that wait to be delivered.
    let pendingInvalidations: Gauge
    /// The invalidation logs of other formats in the namespace.
    let otherFormats: Gauge
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        self.factory = factory
        isAvailable = Gauge(label: "larder_redis_available", factory: factory)
        pendingInvalidations = Gauge(label: "larder_redis_pending_invalidations", factory: factory)
        otherFormats = Gauge(label: "larder_redis_other_formats", factory: factory)
    }

    /// A question without an answer, or with one that came late.
    func failed(_ reason: String) {
        count("larder_redis_failures", "reason", reason)
    }

    /// An answer that is an error of the server.
    func refused(_ code: String) {
        count("larder_redis_refusals", "code", code)
    }

    /// A value that is no entry.
    func unreadable(_ reason: String) {
        count("larder_redis_unreadable", "reason", reason)
    }

    private func count(_ label: String, _ dimension: String, _ value: String) {
        Counter(label: label, dimensions: [(dimension, value)], factory: factory).increment()
    }
}
