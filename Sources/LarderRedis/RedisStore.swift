public import HTTPCaching
public import Larder
public import Logging
public import Metrics
import NIOConcurrencyHelpers
package import NIOCore
package import RedisClient
import ServiceLifecycle

/// Responses in a Redis server that several processes share, with one ledger of what was invalidated.
///
/// A hit is one round trip. While Redis is away, slow or refuses, nothing is found and nothing is stored, and no
/// request waits for it longer than a few times the timeout; invalidations wait, and go out before anything is found
/// again.
///
/// The server has to be Redis 7 or later, or Valkey, and a primary: one that evicts should evict only what expires
/// (`maxmemory-policy volatile-lru`), since without its ledger everything kept is dead.
public final class RedisStore: CacheStore {
    /// How a store uses its server.
    public struct Options: Sendable {
        /// What every key in Redis begins with: 1 to 64 bytes of visible ASCII.
        public var namespace = "larder:"
        /// How long Redis may take for one reply before a request goes on without it, counted from when the question
        /// was handed to the socket, as long as nothing is known of Redis. From then on it is four times as long as the
        /// slowest recent reply took, within ``timeoutBounds``. A request asks Redis twice as a rule, and four times at
        /// worst.
        public var timeout = Duration.milliseconds(50)
        /// The shortest and the longest that ``timeout`` becomes. A `timeout` outside widens them.
        public var timeoutBounds = Duration.milliseconds(10)...Duration.seconds(1)
        /// How long an invalidation waits for its acknowledgement; beyond it the invalidation is pending. It is
        /// independent of ``timeout``: a late one keeps no read from Redis. While Redis is away, invalidations wait for
        /// it no longer than this after it went.
        public var invalidationTimeout = Duration.seconds(2)
        /// The largest entry kept, with everything that goes with its body; by default a body of 1 MiB has room.
        public var entryLimit = CacheEntry.limit(forBodiesOf: .mebibytes(1))
        /// The number of variants stored under one key: 64 by default, 8,192 at most.
        ///
        /// A hit fetches all of them in one round trip, so that together they take no more than ``variantRoom`` of the
        /// largest entries. Beyond either limit the least recently used are evicted, as far as the process that stores
        /// knows: it remembers its own uses, and takes what it did not use by the order of storing.
        public var variantLimit = MemoryStore.defaultVariantLimit
        /// The number of entries of the largest size that the variants of one key take at most.
        public static let variantRoom = 8
        /// The number of invalidated keys, paths and tags remembered; beyond it the oldest are forgotten, and what was
        /// stored before them is dead.
        public var stampLimit = 10_000
        /// The connections kept open.
        public var connections = 2
        /// The questions in a row without an answer in time after which Redis is left alone.
        public var failureLimit = 5
        /// How long that row lasts at least: requests that wait at the same time fail at the same time.
        public var failureSpan = Duration.milliseconds(250)
        /// How long it is left alone before somebody tries.
        public var retryPause = Duration.milliseconds(500)

        /// The options that suit most.
        public init() {}
    }

    public let entryLimit: ByteCount
    private let names: RedisNames
    private let options: Options
    private let client: RedisClient
    private let failsafe: Failsafe
    private let tender: LedgerTender
    private let guesses = NIOLockedValueBox(TagMemo())
    private let variantUses = NIOLockedValueBox(VariantUses())
    private let metrics: RedisMetrics
    private let clock: WallClock

    /// A store on the server at `url`: `redis://[[user]:password@]host[:port][/database]`, `rediss://` over TLS, or
    /// `unix:///path/to/socket`. It connects in `run()`, and again whenever it has to.
    /// - Throws: `RedisStoreError` where the address or an option cannot work, whatever the server does.
    public convenience init(
        _ url: String,
        options: Options = Options(),
        metrics: any MetricsFactory = MetricsSystem.factory,
        logger: Logger = Logger(label: "larder"),
        clock: WallClock = .system
    ) throws(RedisStoreError) {
        do throws(RedisError) {
            var configuration = try RedisConfiguration(url: url)
            configuration.connections = max(1, options.connections)
            try self.init(configuration, options: options, metrics: metrics, logger: logger, clock: clock)
        } catch {
            throw RedisStoreError(error.message)
        }
    }

    package init(
        _ configuration: RedisConfiguration,
        options: Options,
        metrics: any MetricsFactory = MetricsSystem.factory,
        logger: Logger,
        clock: WallClock = .system,
        eventLoopGroup: (any EventLoopGroup)? = nil
    ) throws(RedisError) {
        guard let names = RedisNames(namespace: options.namespace) else {
            throw RedisError(.invalidConfiguration, "a namespace is 1 to 64 bytes of visible ASCII")
        }
        self.names = names
        self.options = options
        self.entryLimit = options.entryLimit
        self.metrics = RedisMetrics(factory: metrics)
        self.clock = clock
        let greeter = Greeter()
        var hooks = RedisClient.Hooks()
        hooks.onConnect = { try await greeter.meet($0, $1) }
        hooks.onChange = { greeter.tender?.serverChanged() }
        hooks.isUrgent = { greeter.tender.map { $0.pendingCount > 0 } ?? false }
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
            logger: logger
        )
        tender = LedgerTender(
            names: names,
            stampLimit: max(1, options.stampLimit),
            timeout: max(.zero, options.invalidationTimeout),
            failsafe: failsafe,
            metrics: self.metrics,
            logger: logger
        )
        greeter.tender = tender
    }

    /// Keeps the connections, delivers what waits, and keeps the count of keys honest, until the service is shut down.
    public func run() async throws {
        defer { tender.stop() }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.client.run() }
            group.addTask {
                await cancelWhenGracefulShutdown { await self.tender.run(self.clock) }
            }
            group.addTask {
                await cancelWhenGracefulShutdown { await self.tend() }
            }
        }
    }

    /// Whether Redis is connected and answers, as far as is known.
    public var isAvailable: Bool { failsafe.isAvailable }

    /// The number of connections that take commands; for tests.
    package var connectionCount: Int { client.status.connections }

    /// The number of invalidations that wait to be delivered.
    public var pendingInvalidations: Int { tender.pendingCount }

    private func tend() async {
        for round in 1... {
            do { try await clock.sleep(for: .milliseconds(100)) } catch { return }
            await failsafe.probe()
            guard round.isMultiple(of: 10), tender.isTrusted, isAvailable else { continue }
            // What is over is taken out in small bites.
            while case .integer(100...)? = await failsafe.ask([.run(Scripts.sweep, keys: [names.index])])?.first {}
        }
    }
}

// MARK: - What is kept

extension RedisStore {
    public func load(_ address: CacheAddress, at now: Timestamp) async -> Lookup {
        guard let key = names.entry(address.key), tender.isTrusted else {
            return tender.unknownLookup
        }
        let known = address.covers().map(\.member)
        let asked = known + guesses.withLockedValue { $0[address.key] }
        let replies = await failsafe.ask([
            .hgetall(key), LedgerReading.command(names.ledger, asked),
        ])
        guard let replies, replies.count == 2, let reading = await tender.reading(replies[1], of: asked) else {
            return tender.unknownLookup
        }
        let found = variants(in: replies[0], of: address.key).filter { now < $0.lifetimes.keepUntil }
        let alive = await alive(found, by: reading, asked: Set(asked), known: known)
        guard let alive else { return tender.unknownLookup }
        return Lookup(entries: alive, birth: reading.birth, newestStamp: reading.newestStamp(on: known))
    }

    public func save(_ entry: CacheEntry, at now: Timestamp) async -> Verdict {
        let covers = entry.address.covers(with: entry.tags)
        // Born without Redis, it would be dead there: nothing is to be gained by waiting for it once more.
        guard let key = names.entry(entry.address.key), tender.isTrusted, !tender.isLocal(entry.birth) else {
            return tender.unknownVerdict
        }
        let isTooLarge = entry.cost > entryLimit.bytes
        let left = isTooLarge ? 0 : Self.milliseconds(from: now, until: entry.lifetimes.keepUntil)
        let name = VariantName(of: entry)
        let members = covers.map(\.member)
        var arguments: [RedisCommand.Argument] = [
            .bytes(left > 0 ? EntryCodec.encode(entry) : ByteBuffer()), .text(name.family), .integer(name.codings),
            .integer(left), .integer(Int64(options.variantCount)),
        ]
        let used = variantUses.withLockedValue { $0.used(under: entry.address.key) }
        arguments += Self.arguments(entry.birth)
        arguments += [.integer(Int64(options.variantBytes)), .integer(Int64(used.count))]
        arguments += used.map { .text($0) }
        arguments += members.map { .text($0) }
        let command = RedisCommand.run(
            Scripts.save,
            keys: [key, names.index, names.ledger],
            arguments: arguments
        )
        guard let reply = await failsafe.ask([command])?.first, let verdict = Self.verdict(reply) else {
            return tender.unknownVerdict
        }
        if verdict.isAlive {
            variantUses.withLockedValue { $0.note(name.field, under: entry.address.key) }
            guesses.withLockedValue { $0.remember(entry.tags.map { Cover.tag($0).member }, for: entry.address.key) }
        }
        return verdict
    }

    public func discard(_ entry: CacheEntry) async {
        guard let key = names.entry(entry.address.key), tender.isTrusted else { return }
        let name = VariantName(of: entry)
        let arguments =
            [.text(name.field)] + Self.arguments(entry.birth) + [.text(name.family), .text(name.rule)]
        _ = await failsafe.ask([.run(Scripts.discard, keys: [key, names.index], arguments: arguments)])
    }

    public func count(at now: Timestamp) async -> Int {
        guard case .integer(let count)? = await failsafe.ask([.run(Scripts.count, keys: [names.index])])?.first else {
            return 0
        }
        return Int(clamping: count)
    }

    /// The variants in a hash, the newest first; what is no entry of ours is counted and passed over.
    private func variants(in reply: RESPValue, of key: CacheKey) -> [CacheEntry] {
        guard case .map(let pairs) = reply else {
            if case .error(let error) = reply, error.code == "WRONGTYPE" { metrics.unreadable("type") }
            return []
        }
        var places: [String: Int] = [:]
        var values: [(name: String, value: ByteBuffer)] = []
        for pair in pairs {
            guard let name = try? pair.key.text(), let value = try? pair.value.bytes() else { continue }
            if name.hasPrefix("v:") { values.append((String(name.dropFirst(2)), value)) }
            if name.hasPrefix("o:") {
                places[String(name.dropFirst(2))] = Int(String(buffer: value).prefix { $0 != " " })
            }
        }
        let ordered = values.sorted { places[$0.name] ?? 0 > places[$1.name] ?? 0 }
        let marks = variantUses.withLockedValue { $0.marks(of: ordered.map { "v:" + $0.name }, under: key) }
        return zip(ordered, marks).compactMap { variant, mark in
            do throws(EntryCodec.Defect) {
                return try EntryCodec.decode(variant.value, expecting: key, lastUse: mark)
            } catch {
                metrics.unreadable(error.reason)
                return nil
            }
        }
    }

    /// Those of the entries that are alive. Tags that were not asked for are asked for now, with the floor once more.
    /// - Returns: nil where that cannot be told.
    private func alive(
        _ entries: [CacheEntry],
        by reading: LedgerReading,
        asked: Set<String>,
        known: [String]
    ) async -> [CacheEntry]? {
        let young = entries.filter { reading.isAlive($0.birth, known) }
        guard let key = young.first?.address.key else { return [] }
        let tags = Set(young.flatMap { Self.members(of: $0) })
        guesses.withLockedValue { $0.remember(tags.subtracting(known).sorted(), for: key) }
        let missing = Array(tags.subtracting(asked))
        guard !missing.isEmpty else { return young.filter { reading.isAlive($0.birth, Self.members(of: $0)) } }
        guard let late = await readings(of: missing) else { return nil }
        return young.filter { entry in
            let members = Self.members(of: entry)
            return ([reading] + late).allSatisfy { $0.isAlive(entry.birth, members) }
        }
    }

    /// Reads the ledger for any number of members, in one round trip. Something is alive if it is by every reading:
    /// each one has the floor as it stood when its members were read.
    /// - Returns: one reading at least; nil if Redis does not say.
    private func readings(of members: [String]) async -> [LedgerReading]? {
        let parts = LedgerReading.parts(members)
        let replies = await failsafe.ask(parts.map { LedgerReading.command(names.ledger, $0) })
        guard let replies, replies.count == parts.count else { return nil }
        var readings: [LedgerReading] = []
        for (reply, part) in zip(replies, parts) {
            guard let reading = await tender.reading(reply, of: part) else { return nil }
            readings.append(reading)
        }
        return readings
    }

    /// The covers of an entry that a look-up need not know: it may have been kept by a policy with other tags.
    private static func members(of entry: CacheEntry) -> [String] {
        (entry.address.tags + entry.tags).map { Cover.tag($0).member }
    }

    private static func arguments(_ birth: Birth) -> [RedisCommand.Argument] {
        [birth.epoch.high, birth.epoch.low, birth.number].map { .text(String($0)) }
    }

    private static func verdict(_ reply: RESPValue) -> Verdict? {
        guard case .array(let values) = reply, values.count == 5, let reading = try? LedgerReading(Array(values[1...]))
        else { return nil }
        return Verdict(isAlive: values[0] == .integer(1), said: reading.birth)
    }

    /// Whole milliseconds, rounded down, so that Redis keeps nothing longer than it may; a year at most.
    private static func milliseconds(from now: Timestamp, until end: Timestamp) -> Int64 {
        guard end > now else { return 0 }
        let year: Int64 = 366 * 86_400_000
        let (left, overflow) = end.nanosecondsSinceEpoch.subtractingReportingOverflow(now.nanosecondsSinceEpoch)
        return overflow ? year : min(year, left / 1_000_000)
    }
}

// MARK: - What is invalidated

extension RedisStore {
    public func judge(_ birth: Birth, covers: [Cover]) async -> Verdict {
        guard tender.isTrusted, !tender.isLocal(birth) else { return tender.unknownVerdict }
        let members = covers.map(\.member)
        guard let readings = await readings(of: members), let first = readings.first else {
            return tender.unknownVerdict
        }
        // What is alive by the later readings was alive at the first one.
        return Verdict(isAlive: readings.allSatisfy { $0.isAlive(birth, members) }, said: first.birth)
    }

    @discardableResult
    public func invalidate(_ covers: [Cover]) async -> InvalidationResult {
        await tender.invalidate(covers)
    }

    @discardableResult
    public func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult {
        // Where nobody can tell, nothing is there once it is stamped, and that is what was asked for.
        let wasKept = await isKept(key, at: now) ?? true
        return RemovalResult(wasStored: wasKept, invalidation: await tender.invalidate([.key(key)]))
    }

    /// Whether something alive is kept under a key; nil where Redis does not say.
    private func isKept(_ key: CacheKey, at now: Timestamp) async -> Bool? {
        guard let name = names.entry(key) else { return false }
        guard let reply = await failsafe.ask([.hgetall(name)])?.first else { return nil }
        let kept = variants(in: reply, of: key).filter { now < $0.lifetimes.keepUntil }
        guard !kept.isEmpty else { return false }
        let covers = kept.map { $0.address.covers(with: $0.tags).map(\.member) }
        let asked = Array(Set(covers.joined()))
        guard let readings = await readings(of: asked) else { return nil }
        return zip(kept, covers).contains { entry, members in
            readings.allSatisfy { $0.isAlive(entry.birth, members) }
        }
    }
}

/// Why a store on Redis cannot be made.
public struct RedisStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

extension EntryCodec.Defect {
    /// The label of a metric: a handful of words.
    fileprivate var reason: String {
        switch self {
        case .foreign: "foreign"
        case .otherVersion: "version"
        case .cutOff, .overlong: "length"
        case .checksum: "checksum"
        case .otherKey: "key"
        case .malformed: "malformed"
        }
    }
}
