import CoreMetrics
import HTTPTypes
import Larder
import LarderTestSupport
import Logging
import NIOCore
import RedisClient

@testable import LarderRedis

/// Runs stores on a server, each as a process of its own would, until `body` is through.
/// - Parameters:
///   - metrics: where all of them count.
///   - clock: what they wait by between their rounds: one that stands still keeps them from asking by themselves.
///   - port: where they look for the server, if not where it is.
func withStores(
    _ count: Int,
    on redis: RedisProcess,
    _ limits: StoreLimits = StoreLimits(),
    options: RedisStore.Options = .patient,
    metrics: any MetricsFactory = NOOPMetricsHandler.instance,
    clock: WallClock = .system,
    port: Int? = nil,
    _ body: ([RedisStore]) async throws -> Void
) async throws {
    var options = options
    options.entryLimit = limits.entryLimit
    options.listLimit = limits.stampLimit
    options.variantLimit = limits.variantLimit
    var configuration = RedisConfiguration.patient(port ?? redis.port)
    configuration.connections = options.connections
    configuration.heartbeat = .seconds(3_600)
    let stores = try (0..<count).map { _ in
        try RedisStore(configuration, options: options, metrics: metrics, logger: .silent, clock: clock)
    }
    try await withRunning(stores) {
        // A connection that comes up later would meet, and mend, what a test has damaged by then.
        for store in stores {
            try await eventually("every connection is up") { store.connectionCount == configuration.connections }
        }
        try await body(stores)
    }
}

/// Runs stores until `body` is through.
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
    /// Gives a busy machine the time that it takes: for tests of what is kept, and not of when.
    static var patient: RedisStore.Options {
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

/// Somebody else on the same server: what an operator types into redis-cli.
struct Stranger {
    private let client: RedisClient

    /// Comes to a server, and goes after `body`.
    static func meets(_ redis: RedisProcess, _ body: (Stranger) async throws -> Void) async throws {
        let client = try RedisClient(.patient(redis.port), logger: .silent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            try await eventually("the stranger is connected") { client.status.phase == .connected }
            try await body(Stranger(client: client))
            group.cancelAll()
        }
    }

    /// Sends a command; an error of the server is thrown.
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

    /// Every key on the server with its type.
    func keys() async throws -> [String: String] {
        var types: [String: String] = [:]
        for key in try await send("KEYS", "*").elements() {
            types[try key.text()] = try await send("TYPE", .text(try key.text())).text()
        }
        return types
    }

    /// The milliseconds that a key still lives: -1 for ever, -2 not at all.
    func milliseconds(left key: String) async throws -> Int64 { try await send("PTTL", .text(key)).integer() }

    /// A field of a hash.
    func field(_ field: String, of key: String) async throws -> ByteBuffer? {
        try await send("HGET", .text(key), .text(field)).bytes()
    }
}

extension EntryLocation {
    /// The address of a GET of a target.
    init(_ target: String, tags: [CacheTag] = []) {
        self.init(key: CacheKey("GET:\(target)") ?? .example, target: target, tags: tags)
    }
}

extension RedisStore {
    /// Keeps a text at a target, as a fill that began now would; whether it is alive.
    @discardableResult
    func keep(
        _ text: String,
        at target: String,
        born: LogVersion? = nil,
        freshFor: Duration = .seconds(3600),
        tags: [CacheTag] = [],
        language: String? = nil
    ) async -> Bool {
        let (location, now) = (EntryLocation(target), WallClock.system.now)
        let readVersion = if let born { born } else { await load(location, at: now).readVersion }
        let entry = CacheEntry.sample(
            text,
            at: location,
            born: readVersion,
            now: now,
            freshFor: freshFor,
            tags: tags,
            request: language.map { [.acceptLanguage: $0] } ?? [:],
            language == nil ? [:] : [.vary: "Accept-Language"]
        )
        return await save(entry, at: now).isAlive
    }

    /// Stores a text at a target as the response to a request with these fields.
    func keep(_ text: String, at target: String, _ request: HTTPFields, _ response: HTTPFields) async -> Bool {
        let (location, now) = (EntryLocation(target), WallClock.system.now)
        let entry = CacheEntry.sample(
            text,
            at: location,
            born: await readVersion(),
            now: now,
            freshFor: .seconds(3_600),
            request: request,
            response
        )
        return await save(entry, at: now).isAlive
    }

    /// Returns the text that a request with these fields gets at a target, if it gets one.
    func text(at target: String, _ fields: HTTPFields) async -> String? {
        let lookup = await load(EntryLocation(target), for: VariantQuery(fields), at: WallClock.system.now)
        return lookup.entries.first?.text
    }

    /// Stores a short text at `path/id` for each id, from many tasks at a time.
    /// - Parameter number: the number of their read version, if it is not that of the log.
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
                            born: readVersion,
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

    /// The texts at a target, the newest first.
    func texts(at target: String) async -> [String] {
        await load(EntryLocation(target), at: WallClock.system.now).entries.map(\.text)
    }

    /// Where the invalidations stand.
    func readVersion() async -> LogVersion {
        await load(EntryLocation("/nothing"), at: WallClock.system.now).readVersion
    }

    /// The number of keys kept.
    func count() async -> Int { await count(at: WallClock.system.now) }
}

extension VariantQuery {
    /// The query of a request with these fields, under a policy that shares everything.
    init(_ fields: HTTPFields) {
        self.init(fields: fields) { $0.matches(.get("/", fields)) }
    }
}
