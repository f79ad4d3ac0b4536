import CoreMetrics
import Larder
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import OpenMetrics
import RedisClient
import Tracing

/// A sender of commands that protects requests from a Redis that does not answer: it waits for at most a timeout that
/// adapts to recent replies (`AdaptiveTimeout`), and sends nothing while Redis is known to be away.
final class Failsafe: Sendable {
    private let client: RedisClient
    private let breaker: NIOLockedValueBox<Breaker>
    private let transitions: NIOLockedValueBox<RedisTransitions>
    private let metrics: RedisMetrics
    private let tracing: CacheTracing
    private let logger: Logger

    /// Creates a sender of commands.
    /// - Parameter quiet: The time without another refusal after which a refusal counts as over.
    init(
        _ client: RedisClient,
        breaker: Breaker,
        quiet: Duration,
        metrics: RedisMetrics,
        tracing: CacheTracing,
        logger: Logger
    ) {
        self.client = client
        self.breaker = NIOLockedValueBox(breaker)
        self.transitions = NIOLockedValueBox(RedisTransitions(quiet: quiet))
        self.metrics = metrics
        self.tracing = tracing
        self.logger = logger
        metrics.isAvailable.record(0)
    }

    /// True if Redis is connected and answers, as far as is known.
    var isAvailable: Bool { isConnected && breaker.withLockedValue { $0.isClosed } }

    /// True if a connection takes commands.
    var isConnected: Bool { client.status.phase == .connected }

    /// Sends commands together. Returns nil if no answer comes in time, or if none is expected: the caller continues
    /// without it.
    func ask(_ commands: [RedisCommand]) async -> [RESPValue]? {
        guard breaker.withLockedValue({ $0.isClosed }) else {
            metrics.failed("breaker")
            return nil
        }
        do throws(RedisError) {
            let sent = NIODeadline.now()
            let replies = try await traced(commands) { () throws(RedisError) in
                try await client.pipeline(commands, timeout: .adaptive)
            }
            metrics.roundTrip.recordNanoseconds((.now() - sent).nanoseconds)
            if replies.isLate {
                metrics.failed("late")
                let change = breaker.withLockedValue { $0.failed(at: .now) }
                if change != .none { report(because: RedisError(.deadlineExceeded, "the replies take too long")) }
            } else if breaker.withLockedValue({ $0.succeeded() }) != .none {
                report()
            }
            inspect(replies.values, to: commands)
            return replies.values
        } catch {
            metrics.failed("\(error.code)")
            switch error.code {
            // The reply is late because of its size, which says nothing about the server.
            case .deadlineExceeded where commands.areLarge: break
            case .deadlineExceeded, .connectionLost, .protocolViolation:
                if breaker.withLockedValue({ $0.failed(at: .now) }) != .none { report(because: error) }
            // The caller was cancelled, this process has not read the reply, or there is no connection.
            default: break
            }
            return nil
        }
    }

    /// Sends commands in a span.
    private func traced<Replies>(
        _ commands: [RedisCommand],
        _ send: () async throws(RedisError) -> Replies
    ) async throws(RedisError) -> Replies {
        guard tracing.isOn else { return try await send() }
        let result = await tracing.span("redis", ofKind: .client) { span in
            span?.attributes["db.system.name"] = "redis"
            span?.attributes["db.operation.batch.size"] = commands.count
            do throws(RedisError) { return Result<Replies, RedisError>.success(try await send()) } catch {
                span?.recordError(error)
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Sends invalidations, and waits for their replies for at most `timeout`.
    ///
    /// The breaker does not count here: it is for reads, which can do without Redis. An invalidation is sent whatever
    /// state the breaker is in, and a late one does not open the breaker.
    func deliver(_ commands: [RedisCommand], within timeout: Duration) async throws(RedisError) -> [RESPValue] {
        do throws(RedisError) {
            let replies = try await traced(commands) { () throws(RedisError) in
                try await client.pipeline(commands, deadline: timeout)
            }
            inspect(replies, to: commands)
            return replies
        } catch {
            metrics.failed("\(error.code)")
            throw error
        }
    }

    /// Probes a server that the breaker protects requests from, if it is time. No request waits for a probe: it may
    /// take as long as the upper bound of the timeout, so that a server is found usable if it answers more slowly than
    /// the timeout.
    func probe() async {
        guard isConnected, breaker.withLockedValue({ $0.beginProbe(at: .now) }) else { return }
        if await client.probe() {
            if breaker.withLockedValue({ $0.succeeded() }) != .none { report() }
        } else {
            metrics.failed("\(RedisError.Code.deadlineExceeded)")
            breaker.withLockedValue { $0.probeFailed(at: .now) }
        }
    }

    /// Records that a server was connected and prepared.
    func connected() {
        transitions.withLockedValue { $0.forgetRefusals() }
        if breaker.withLockedValue({ $0.succeeded() }) != .none { report() }
    }

    /// Logs once that Redis does not answer, refuses the user, is connected or answers again, and sets the metric.
    func report(because error: RedisError? = nil) {
        let status = client.status
        let reason = error ?? status.lastError
        let refusal = reason?.accessRefusal
        let change = transitions.withLockedValue { transitions -> RedisTransitions.Change? in
            // Read under the lock, so that transitions are reported in order.
            switch client.status.phase {
            case .connecting, .stopped: nil
            case .connected: transitions.record(isAvailable: isAvailable)
            case .down: transitions.record(isAvailable: false, refusing: refusal?.code)
            }
        }
        switch change {
        case nil: break
        case .lost, .refused:
            metrics.isAvailable.record(0)
            var message: Logger.Message = "Redis does not answer: requests are answered without it"
            if change == .refused, let refusal {
                message = "Redis \(refusal.fault), so requests are answered without it: \(refusal.remedy)"
            }
            logger.warning(message, metadata: reason.map { ["error": "\($0)"] } ?? [:])
        case .connected:
            metrics.isAvailable.record(1)
            logger.info("Redis is connected", metadata: ["version": "\(status.server?.version ?? "unknown")"])
        case .restored:
            metrics.isAvailable.record(1)
            logger.info("Redis answers again")
        }
    }

    /// Looks for errors among the replies, such as full, read-only or loading. The server answers, so the breaker stays
    /// closed.
    private func inspect(_ replies: [RESPValue], to commands: [RedisCommand]) {
        for (reply, command) in zip(replies, commands) {
            if case .error(let error) = reply {
                refused(error, command)
            } else if let code = transitions.withLockedValue({ $0.answered(command, at: .now) }) {
                logger.info("Redis accepts commands again", metadata: ["code": "\(code)"])
            }
        }
    }

    private func refused(_ error: RedisReplyError, _ command: RedisCommand) {
        // The error is expected, and the caller handles it.
        guard error.code != "WRONGTYPE" else { return }
        metrics.refused(error.code)
        if error.code == "READONLY" {
            // A server that takes no writes may be a replica now, whose log may lag behind: connect to it again.
            client.reconnect(because: RedisError(.unavailable, "the server does not accept writes", underlying: error))
        } else if transitions.withLockedValue({ $0.refused(error.code, command, at: .now) }) {
            let refusal = error.accessRefusal.map { "Redis \($0.fault): \($0.remedy)" }
            logger.warning("\(refusal ?? "Redis refuses a command")", metadata: ["error": "\(error)"])
        }
    }
}

/// The metrics of a Redis store, beside those of the cache.
struct RedisMetrics: Sendable {
    /// 1 while Redis is connected and answers, 0 otherwise.
    let isAvailable: Gauge
    /// The number of invalidation scopes that wait to be delivered.
    let pendingInvalidations: Gauge
    /// The number of invalidation logs of other formats in the namespace.
    let otherFormats: Gauge
    /// The times from sending commands until their replies.
    let roundTrip: Timer
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        self.factory = factory
        (factory as? MetricsRegistry)?.describe(MetricDescription.ofRedis)
        roundTrip = Timer(
            label: "larder_redis_round_trip_seconds",
            preferredDisplayUnit: .seconds,
            factory: factory
        )
        isAvailable = Gauge(label: "larder_redis_available", factory: factory)
        pendingInvalidations = Gauge(label: "larder_redis_pending_invalidations", factory: factory)
        otherFormats = Gauge(label: "larder_redis_other_formats", factory: factory)
    }

    /// Counts a command without an answer, or with one that came late.
    func failed(_ reason: String) {
        count("larder_redis_failures", "reason", reason)
    }

    /// Counts a reply that is an error of the server.
    func refused(_ code: String) {
        count("larder_redis_refusals", "code", code)
    }

    /// Counts a value in Redis that cannot be read.
    func unreadable(_ reason: String) {
        count("larder_redis_unreadable", "reason", reason)
    }

    private func count(_ label: String, _ dimension: String, _ value: String) {
        Counter(label: label, dimensions: [(dimension, value)], factory: factory).increment()
    }
}

extension MetricDescription {
    /// The metrics of a Redis store. `docs/redis.md` lists them, too.
    static let ofRedis = [
        MetricDescription("larder_redis_available", "1 while Redis is connected and answers, 0 otherwise."),
        MetricDescription("larder_redis_pending_invalidations", "Scopes whose invalidation waits to be delivered."),
        MetricDescription("larder_redis_other_formats", "Invalidation logs of other formats in the namespace."),
        MetricDescription("larder_redis_failures", "Commands without an answer, or with a late one, by reason."),
        MetricDescription("larder_redis_refusals", "Replies that are errors of the server, by code."),
        MetricDescription("larder_redis_unreadable", "Values in Redis that cannot be read, by reason."),
        MetricDescription("larder_redis_round_trip_seconds", "Time from sending commands until their replies."),
    ]
}
