import CoreMetrics
import HTTPTypes
import Larder
import LarderTestSupport
import Logging
import NIOCore
import RedisClient
import TestHelpers

@testable import LarderRedis

/// Runs stores on a server, each as a separate process would, until `body` returns.
/// - Parameters:
///   - metrics: The metrics of all stores.
///   - clock: The clock of their background work: with one that stands still they send nothing by themselves.
///   - port: The port on which they connect to the server, if it is not the server's.
func withStores(
    _ count: Int,
    on redis: RedisProcess,
    _ limits: StoreLimits = StoreLimits(),
    options: RedisStore.Options = .longTimeouts,
    metrics: any MetricsFactory = NOOPMetricsHandler.instance,
    clock: WallClock = .system,
    port: Int? = nil,
    _ body: ([RedisStore]) async throws -> Void
) async throws {
    var options = options
    options.entryLimit = limits.entryLimit
    options.listLimit = limits.versionLimit
    options.variantLimit = limits.variantLimit
    var configuration = RedisConfiguration.longTimeouts(port ?? redis.port)
    configuration.connections = options.connections
    configuration.heartbeat = .seconds(3_600)
    let stores = try (0..<count).map { _ in
        try RedisStore(configuration, options: options, metrics: metrics, logger: .silent, clock: clock)
    }
    try await withRunning(stores) {
        // A connection that is opened later would repair what a test has damaged by then.
        for store in stores {
            try await eventually("every connection is up") { store.connectionCount == configuration.connections }
        }
        try await body(stores)
    }
}

/// Runs stores until `body` returns.
func withRunning(_ stores: [RedisStore], _ body: () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for store in stores {
            group.addTask { try await store.run() }
        }
        for store in stores {
            try await eventually("the store is connected") { store.isAvailable }
        }
        try await body()
        group.cancelAll()
    }
}

extension RedisStore.Options {
    /// Options with the time that a busy machine needs: for tests of what is stored, and not of when.
    static var longTimeouts: RedisStore.Options {
        var options = RedisStore.Options()
        options.timeout = .seconds(30)
        options.timeoutBounds = .seconds(30) ... .seconds(30)
        options.invalidationTimeout = .seconds(30)
        options.failureLimit = .max
        return options
    }
}

extension Logger {
    static let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
}

/// Another client on the same server: what an operator types into redis-cli.
struct RedisCLI {
    private let client: RedisClient

    /// Connects to a server, and disconnects after `body`.
    static func connect(to redis: RedisProcess, _ body: (RedisCLI) async throws -> Void) async throws {
        let client = try RedisClient(.longTimeouts(redis.port), logger: .silent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            try await eventually("the other client is connected") { client.status.phase == .connected }
            try await body(RedisCLI(client: client))
            group.cancelAll()
        }
    }

    /// Sends a command; throws if the reply is an error of the server.
    @discardableResult
    func send(_ name: String, _ arguments: RedisCommand.Argument...) async throws -> RESPValue {
        try await send(RedisCommand(name, arguments))
    }

    @discardableResult
    func send(_ command: RedisCommand) async throws -> RESPValue {
        let reply = try await client.send(command, deadline: .seconds(30))
        if case .error(let error) = reply { throw error }
        return reply
    }

    /// Returns every key on the server with its type.
    func keys() async throws -> [String: String] {
        var types: [String: String] = [:]
        for key in try await send("KEYS", "*").elements() {
            types[try key.text()] = try await send("TYPE", .text(try key.text())).text()
        }
        return types
    }

    /// Returns the remaining time to live of a key in milliseconds: -1 if it does not expire, -2 if it does not exist.
    func milliseconds(left key: String) async throws -> Int64 { try await send("PTTL", .text(key)).integer() }

    /// Returns a field of a hash.
    func field(_ field: String, of key: String) async throws -> ByteBuffer? {
        try await send("HGET", .text(key), .text(field)).bytes()
    }
}

extension EntryLocation {
    /// Creates the location of a GET of a target.
    init(_ target: String, tags: [CacheTag] = []) {
        self.init(key: CacheKey("GET:\(target)") ?? .example, target: target, tags: tags)
    }
}

extension RedisStore {
    /// Stores a text at a target, as a fill that began now would; returns true if it is valid.
    @discardableResult
    func put(
        _ text: String,
        at target: String,
        readVersion: LogVersion? = nil,
        freshFor: Duration = .seconds(3600),
        tags: [CacheTag] = [],
        language: String? = nil
    ) async -> Bool {
        let (location, now) = (EntryLocation(target), WallClock.system.now)
        let readVersion = if let readVersion { readVersion } else { await load(location, at: now).readVersion }
        let entry = CacheEntry.sample(
            text,
            at: location,
            readVersion: readVersion,
            now: now,
            freshFor: freshFor,
            tags: tags,
            request: language.map { [.acceptLanguage: $0] } ?? [:],
            language == nil ? [:] : [.vary: "Accept-Language"]
        )
        return await save(entry, at: now).isValid
    }

    /// Stores a text at a target as the response to a request with these fields.
    func put(_ text: String, at target: String, _ request: HTTPFields, _ response: HTTPFields) async -> Bool {
        let (location, now) = (EntryLocation(target), WallClock.system.now)
        let entry = CacheEntry.sample(
            text,
            at: location,
            readVersion: await readVersion(),
            now: now,
            freshFor: .seconds(3_600),
            request: request,
            response
        )
        return await save(entry, at: now).isValid
    }

    /// Returns the text that a request with these fields gets at a target, if it gets one.
    func text(at target: String, _ fields: HTTPFields) async -> String? {
        let lookup = await load(EntryLocation(target), for: VariantQuery(fields), at: WallClock.system.now)
        return lookup.entries.first?.text
    }

    /// Stores a short text at `path/id` for each id, from many tasks at a time.
    /// - Parameter number: The number of their read version, if it is not that of the log.
    func fill(_ ids: Range<Int>, below path: String = "", number: UInt64? = nil, tags: [CacheTag] = []) async {
        let (current, now) = (await readVersion(), WallClock.system.now)
        let readVersion = LogVersion(epoch: current.epoch, number: number ?? current.number)
        await withDiscardingTaskGroup { group in
            for lane in 0..<50 {
                group.addTask {
                    for id in ids where id % 50 == lane {
                        let location = EntryLocation("\(path)/\(id)")
                        let entry = CacheEntry.sample(
                            "v0",
                            at: location,
                            readVersion: readVersion,
                            now: now,
                            freshFor: .seconds(3_600),
                            tags: tags
                        )
                        _ = await self.save(entry, at: now)
                    }
                }
            }
        }
    }

    /// Returns the texts at a target, the newest first.
    func texts(at target: String) async -> [String] {
        await load(EntryLocation(target), at: WallClock.system.now).entries.map(\.text)
    }

    /// Returns the version of the log.
    func readVersion() async -> LogVersion {
        await load(EntryLocation("/nothing"), at: WallClock.system.now).readVersion
    }

    /// Returns the number of keys that are stored.
    func count() async -> Int { await count(at: WallClock.system.now) }
}

extension VariantQuery {
    /// Creates the query of a request with these fields, under a policy that shares everything.
    init(_ fields: HTTPFields) {
        self.init(fields: fields) { $0.matches(.get("/", fields)) }
    }
}
