import CoreMetrics
import Logging
import Metrics
import NIOConcurrencyHelpers
import RedisClient

/// Asks Redis so that nobody is harmed where it does not answer: within a time, and not at all while it is known to be
/// away.
final class Failsafe: Sendable {
    private let client: RedisClient
    private let breaker: NIOLockedValueBox<Breaker>
    /// The code of the refusal that was logged last.
    private let refusal = NIOLockedValueBox<String?>(nil)
    private let timeout: Duration
    private let metrics: RedisMetrics
    private let logger: Logger

    init(_ client: RedisClient, breaker: Breaker, timeout: Duration, metrics: RedisMetrics, logger: Logger) {
        self.client = client
        self.breaker = NIOLockedValueBox(breaker)
        self.timeout = timeout
        self.metrics = metrics
        self.logger = logger
        metrics.isAvailable.record(1)
    }

    /// Whether Redis answers, as far as is known.
    var isAvailable: Bool { breaker.withLockedValue { $0.isClosed } }

    /// Sends commands together. Nil where there is no answer in time, or none is expected: the caller goes on without.
    func ask(_ commands: [RedisCommand]) async -> [RESPValue]? {
        guard breaker.withLockedValue({ $0.admits(at: .now) }) else {
            metrics.failed("breaker")
            return nil
        }
        do throws(RedisError) {
            let replies = try await client.pipeline(commands, deadline: timeout)
            report(breaker.withLockedValue { $0.succeeded() })
            for case .error(let error) in replies { refused(error) }
            return replies
        } catch {
            metrics.failed("\(error.code)")
            switch error.code {
            case .unavailable, .deadlineExceeded, .connectionLost, .protocolViolation:
                report(breaker.withLockedValue { $0.failed(at: .now) }, because: error)
            default:
                breaker.withLockedValue { $0.abandoned(at: .now) }
            }
            return nil
        }
    }

    /// The server was met, and did as it was told.
    func met() {
        refusal.withLockedValue { $0 = nil }
        report(breaker.withLockedValue { $0.succeeded() })
    }

    /// The server answered with an error: full, read-only, loading. It is there, so the breaker stays closed.
    private func refused(_ error: RedisReplyError) {
        // Expected, and mended by whoever asked.
        guard error.code != "WRONGTYPE" else { return }
        metrics.refused(error.code)
        let isNew = refusal.withLockedValue { refusal in
            defer { refusal = error.code }
            return refusal != error.code
        }
        if isNew { logger.warning("Redis refuses", metadata: ["error": "\(error)"]) }
        // A server that takes no writes may be a replica now, whose ledger is not to be trusted: meet it anew.
        if error.code == "READONLY" {
            client.reconnect(because: RedisError(.unavailable, "the server takes no writes", underlying: error))
        }
    }

    private func report(_ change: Breaker.Change, because error: RedisError? = nil) {
        switch change {
        case .none: break
        case .opened:
            metrics.isAvailable.record(0)
            logger.warning(
                "Redis does not answer: going on without it",
                metadata: error.map { ["error": "\($0)"] } ?? [:]
            )
        case .closed:
            metrics.isAvailable.record(1)
            logger.info("Redis answers again")
        }
    }
}

/// What a store tells of Redis, besides what the cache tells of itself.
struct RedisMetrics: Sendable {
    /// 1 while Redis answers, 0 while it is left alone.
    let isAvailable: Gauge
    /// The invalidations that wait to be delivered.
    let pendingInvalidations: Gauge
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        self.factory = factory
        isAvailable = Gauge(label: "larder_redis_available", factory: factory)
        pendingInvalidations = Gauge(label: "larder_redis_pending_invalidations", factory: factory)
    }

    /// A question without an answer.
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
