public import HTTPCaching
public import Larder
public import Logging
public import Metrics
import NIOConcurrencyHelpers
package import NIOCore
package import RedisClient
import ServiceLifecycle
public import Tracing

/// A store in a Redis server, which several processes share together with one invalidation log.
///
/// A hit is one round trip. While Redis is away, slow or refuses commands, look-ups find nothing and nothing is stored,
/// and no request waits for Redis longer than a few times the timeout. Invalidations wait, and are delivered before
/// look-ups find anything again.
///
/// The server has to be Redis 7 or later, or Valkey, and a master. If it evicts, it should evict only keys that expire
/// (`maxmemory-policy volatile-lru`): if Redis evicts the invalidation log, everything stored becomes invalid.
public final class RedisStore: CacheStore {
    /// The options of a store on Redis.
    public struct Options: Sendable {
        /// The beginning of every key in Redis: 1 to 64 bytes of visible ASCII.
        public var namespace = "larder:"
        /// The time that Redis may take for one reply before a request continues without it, counted from when the
        /// command was handed to the socket, as long as the speed of Redis is unknown. From then on the timeout is four
        /// times as long as the slowest recent reply took, within ``timeoutBounds``. A request asks Redis twice as a
        /// rule, and four times at worst.
        public var timeout = Duration.milliseconds(50)
        /// The shortest and the longest time that ``timeout`` becomes. A `timeout` outside these bounds widens them.
        public var timeoutBounds = Duration.milliseconds(10)...Duration.seconds(1)
        /// The time that an invalidation, of any number of scopes, waits for its acknowledgement; after that it is
        /// pending. It is independent of ``timeout``: a late invalidation does not stop reads from Redis. While Redis
        /// is away, an invalidation waits no longer than until this time after Redis went away.
        public var invalidationTimeout = Duration.seconds(2)
        /// The size of the largest entry that is stored, with everything that belongs to its body; by default a body of
        /// 1 MiB has room.
        public var entryLimit = CacheEntry.limit(forBodiesOf: .mebibytes(1))
        /// The number of variants stored under one key: 64 by default, 8,192 at most.
        ///
        /// A hit reads the variant that it needs. Together the variants take no more than ``variantRoom`` of the
        /// largest entries. Beyond either limit the least recently used are evicted, as far as the process that stores
        /// knows: it remembers its own uses, and orders the variants that it did not use by the time of storing.
        public var variantLimit = MemoryStore.defaultVariantLimit
        /// The number of entries of the largest size that the variants of one key may take.
        public static let variantRoom = 8
        /// The most memory that the invalidation log takes in Redis: 16 MiB by default, and 256 MiB if the value is
        /// higher than that. It takes about 30 KiB until 100 keys, paths or tags have been invalidated.
        ///
        /// The log has the exact versions of the last 10,000 of them, or of those that fit into 1/6 of its memory.
        /// Older ones share cells of tables, which are written then: an invalidation can make a response invalid that
        /// it does not concern, the more often the smaller the log is, and it never leaves a response valid that it
        /// concerns. With the default, 100,000 invalidated paths make 0.04 % of the responses invalid that they do not
        /// concern, 300,000 paths 1.7 %.
        ///
        /// The largest table takes two thirds of the log and is one value: if the server's `proto-max-bulk-len` (512 MB
        /// by default) is lower than that, the server refuses invalidations when the list is full, and nothing is
        /// served from Redis until the setting is raised. The first process that writes to an empty Redis decides the
        /// size; other processes use the size that they find. Redis does not evict the log: give Redis a `maxmemory` of
        /// at least four times its size.
        public var logLimit = ByteCount.mebibytes(16)
        /// The number of scopes of which the log has exact versions, unless they would take more than 1/6 of its
        /// memory.
        package var listLimit = 10_000
        /// The number of open connections. From two on, large responses share the last one, so that small ones do not
        /// wait behind them.
        public var connections = 2
        /// The number of commands in a row without an answer in time after which Redis is no longer asked.
        public var failureLimit = 5
        /// The shortest time that these failures have to span: requests that wait at the same time fail at the same
        /// time.
        public var failureSpan = Duration.milliseconds(250)
        /// The time for which Redis is not asked before a probe is sent.
        public var retryPause = Duration.milliseconds(500)

        /// Creates options with the default values.
        public init() {}
    }

    public let entryLimit: ByteCount
    let names: RedisNames
    private let options: Options
    private let client: RedisClient
    let failsafe: Failsafe
    let delivery: InvalidationDelivery
    let memo = NIOLockedValueBox(EntryMemo())
    let keyCount = NIOLockedValueBox(KeyCount<CheckedContinuation<Int, Never>>())
    let metrics: RedisMetrics
    let clock: WallClock
    /// The tasks that count keys in the background.
    let counting = BackgroundTasks()

    /// Creates a store on the server at `url`: `redis://[[user]:password@]host[:port][/database]`, `rediss://` over
    /// TLS, or `unix:///path/to/socket`. The store connects in `run()`, and reconnects when it has to.
    /// - Throws: `RedisStoreError` if the address or an option cannot work, whatever the server does.
    public convenience init(
        _ url: String,
        options: Options = Options(),
        metrics: any MetricsFactory = MetricsSystem.factory,
        tracer: (any Tracer)? = nil,
        logger: Logger = Logger(label: "larder"),
        clock: WallClock = .system
    ) throws(RedisStoreError) {
        do throws(RedisError) {
            var configuration = try RedisConfiguration(url: url)
            configuration.connections = max(1, options.connections)
            try self.init(
                configuration,
                options: options,
                metrics: metrics,
                tracer: tracer,
                logger: logger,
                clock: clock
            )
        } catch {
            throw RedisStoreError(error.message)
        }
    }

    package init(
        _ configuration: RedisConfiguration,
        options: Options,
        metrics: any MetricsFactory = MetricsSystem.factory,
        tracer: (any Tracer)? = nil,
        logger: Logger,
        clock: WallClock = .system,
        eventLoopGroup: (any EventLoopGroup)? = nil
    ) throws(RedisError) {
        guard let names = RedisNames(namespace: options.namespace) else {
            throw RedisError(
                .invalidConfiguration,
                "the namespace is invalid: expected 1 to 64 visible ASCII characters"
            )
        }
        self.names = names
        self.options = options
        self.entryLimit = options.entryLimit
        self.metrics = RedisMetrics(factory: metrics)
        self.clock = clock
        let link = DeliveryLink()
        var hooks = RedisClient.Hooks()
        hooks.onConnect = { try await link.prepare($0, $1) }
        hooks.onChange = { link.delivery?.serverChanged() }
        hooks.isUrgent = { link.delivery.map { $0.pendingCount > 0 } ?? false }
        var configuration = configuration
        configuration.timeouts = options.timeouts
        configuration.limits.makeRoom(for: options)
        client = try RedisClient(configuration, hooks: hooks, logger: logger, eventLoopGroup: eventLoopGroup)
        failsafe = Failsafe(
            client,
            breaker: Breaker(
                threshold: max(1, options.failureLimit),
                span: options.failureSpan,
                pause: options.retryPause
            ),
            quiet: options.retryPause * 10,
            metrics: self.metrics,
            tracing: CacheTracing(tracer),
            logger: logger
        )
        delivery = InvalidationDelivery(
            names: names,
            logSize: LogSize(within: options.logLimit, listLimit: options.listLimit),
            timeout: max(.zero, options.invalidationTimeout),
            failsafe: failsafe,
            metrics: self.metrics,
            logger: logger
        )
        link.delivery = delivery
    }

    /// Maintains the connections, delivers invalidations that wait, and counts very many keys, until the service is
    /// shut down.
    public func run() async throws {
        defer {
            delivery.stop()
            counting.cancelAll()
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.client.run() }
            group.addTask {
                await cancelWhenGracefulShutdown { await self.delivery.run(self.clock) }
            }
            group.addTask {
                await cancelWhenGracefulShutdown { await self.maintain() }
            }
        }
    }

    /// True if Redis is connected and answers, as far as is known.
    public var isAvailable: Bool { failsafe.isAvailable }

    /// The number of connections that take commands; for tests.
    package var connectionCount: Int { client.status.connections }

    /// The number of invalidation scopes that wait to be delivered.
    public var pendingInvalidations: Int { delivery.pendingCount }

    private func maintain() async {
        for round in 1... {
            do { try await clock.sleep(for: .milliseconds(100)) } catch { return }
            await failsafe.probe()
            // A table that no look-up needs for a while must not be the first that Redis evicts.
            if round.isMultiple(of: 10), isAvailable {
                _ = await failsafe.ask([RedisCommand("TOUCH", names.logKeys.map { .text($0) })])
            }
            // Every minute.
            if round.isMultiple(of: 600), isAvailable { await delivery.lookForOtherFormats() }
            // Every ten seconds.
            guard round.isMultiple(of: 100), delivery.isTrusted, isAvailable else { continue }
            counting.start { await self.countIfDue() }
        }
    }
}

// MARK: - Stored responses

extension RedisStore {
    public func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity {
        let scopes = entry.location.scopes(with: entry.tags)
        // A response that was fetched without the log would be invalid in Redis: waiting for Redis again gains nothing.
        guard let key = names.entry(entry.location.key), delivery.isTrusted, !delivery.isLocal(entry.readVersion) else {
            return delivery.unknownValidity
        }
        let name = VariantName(of: entry)
        let isTooLarge = entry.cost > entryLimit.bytes
        let left = isTooLarge ? 0 : Self.milliseconds(from: now, until: entry.lifetimes.storedUntil)
        let value = left > 0 ? EntryCodec.encode(entry) : ByteBuffer()
        let variant = VariantList.Variant(entry, named: name, size: value.readableBytes)
        var arguments: [RedisCommand.Argument] = [
            .bytes(value), .text(name.family), .integer(name.codings), .integer(left),
            .integer(Int64(options.variantCount)),
        ]
        let used = memo.withLockedValue { $0.uses.used(under: entry.location.key) }
        arguments += Self.arguments(entry.readVersion)
        arguments += [
            .integer(Int64(options.variantBytes)), .integer(now.millisecondsSinceEpoch), .integer(variant.storedUntil),
            .text(variant.rule), .integer(Int64(used.count)),
        ]
        arguments += used.map { .text($0) }
        arguments += scopes.map { .text($0.member) }
        let command = RedisCommand.run(Scripts.save, keys: [key, names.log], arguments: arguments)
        guard let reply = await failsafe.ask([command])?.first else {
            return delivery.unknownValidity
        }
        if case .error(let error) = reply, error.code == "OOM" { return await refused(entry, name, key, scopes) }
        guard let validity = Self.validity(reply) else { return delivery.unknownValidity }
        if validity.isValid, left > 0 { remember(entry, as: variant) }
        return validity
    }

    /// Returns the validity of an entry that a full server does not store. The variant that it would have replaced is
    /// no longer the newest, and is removed.
    private func refused(
        _ entry: CacheEntry,
        _ name: VariantName,
        _ key: String,
        _ scopes: [InvalidationScope]
    ) async -> Validity {
        let arguments: [RedisCommand.Argument] = [.text(name.family), .integer(name.codings)]
        _ = await failsafe.ask([.run(Scripts.supersede, keys: [key], arguments: arguments)])
        return await validity(of: entry.readVersion, scopes: scopes)
    }

    /// Remembers what was stored, so that the next look-up asks for it.
    private func remember(_ entry: CacheEntry, as variant: VariantList.Variant) {
        let key = entry.location.key
        let known = Set(entry.location.tags)
        let tags = entry.tags.filter { !known.contains($0) }.map { InvalidationScope.tag($0).member }
        memo.withLockedValue { memo in
            memo.uses.note(variant.field, under: key)
            memo.variants.store(variant, in: entry.readVersion.epoch, for: key)
            memo.tags.remember(tags, for: VariantID(key: key, field: variant.field))
        }
    }

    public func discard(_ entry: CacheEntry) async {
        guard let key = names.entry(entry.location.key), delivery.isTrusted else { return }
        let name = VariantName(of: entry)
        let arguments =
            [.text(name.field)] + Self.arguments(entry.readVersion) + [.text(name.family), .text(name.rule)]
        _ = await failsafe.ask([.run(Scripts.discard, keys: [key], arguments: arguments)])
    }

    private static func arguments(_ readVersion: LogVersion) -> [RedisCommand.Argument] {
        [readVersion.epoch.high, readVersion.epoch.low, readVersion.number].map { .text(String($0)) }
    }

    private static func validity(_ reply: RESPValue) -> Validity? {
        guard case .array(let values) = reply, values.count == 1 + LogState.members.count,
            let reading = try? LogReading(Array(values[1...]))
        else { return nil }
        return Validity(isValid: values[0] == .integer(1), checkedVersion: reading.readVersion)
    }

    /// Returns whole milliseconds, rounded down, so that Redis stores nothing longer than allowed; at most a year.
    private static func milliseconds(from now: Timestamp, until end: Timestamp) -> Int64 {
        guard end > now else { return 0 }
        let year: Int64 = 366 * 86_400_000
        let (left, overflow) = end.nanosecondsSinceEpoch.subtractingReportingOverflow(now.nanosecondsSinceEpoch)
        return overflow ? year : min(year, left / 1_000_000)
    }
}

// MARK: - Invalidations

extension RedisStore {
    public func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
        guard delivery.isTrusted, !delivery.isLocal(readVersion) else { return delivery.unknownValidity }
        let members = scopes.map(\.member)
        guard let readings = await readLog(for: members, since: [readVersion]), let first = readings.first else {
            return delivery.unknownValidity
        }
        // A response that is valid by the later readings was valid at the first one.
        return Validity(
            isValid: readings.allSatisfy { $0.comparison(of: readVersion, members) == .valid },
            checkedVersion: first.readVersion
        )
    }

    @discardableResult
    public func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        await delivery.invalidate(scopes)
    }

    @discardableResult
    public func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult {
        // The invalidation concerns every spelling; the spellings that clients commonly use are counted.
        var removed: Int? = 0
        for key in key.spellings {
            guard let count = removed, let more = await validCount(under: key, at: now) else {
                // Nothing is there after the invalidation, as the caller asked, even if the count is unknown.
                removed = nil
                break
            }
            removed = count + more
        }
        return RemovalResult(removed: removed, invalidation: await delivery.invalidate([.key(key)]))
    }
}

/// The reason why a store on Redis cannot be created.
public struct RedisStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
