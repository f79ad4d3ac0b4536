import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderDemo
import LarderRedis
import LarderTestSupport
import Logging
import NIOCore
import RedisClient
import TestHelpers
import Testing

/// The kind of store that the example API uses in a test.
enum StoreKind: CaseIterable, CustomTestStringConvertible {
    case memory
    /// The entries are in a Redis server that the test starts.
    case redis

    var testDescription: String { self == .memory ? "in memory" : "in Redis" }
}

/// Runs the example API on a free port during one test.
func withAPI(
    _ kind: StoreKind,
    _ test: @escaping @Sendable (any TestClientProtocol) async throws -> Void
) async throws {
    switch kind {
    case .memory: try await withAPI { client, _ in try await test(client) }
    case .redis:
        try await RedisProcess.run { redis in
            let store = try RedisStore(.longTimeouts(redis.port), options: .longTimeouts, logger: .silent)
            try await serve(ResponseCache(store: store)) { client in
                try await eventually("the store is connected") { store.isAvailable }
                try await test(client)
            }
        }
    }
}

/// Runs the example API on a free port, with a store in memory and a manual clock, during one test.
func withAPI(
    token: String? = nil,
    _ test: @escaping @Sendable (any TestClientProtocol, ManualClock) async throws -> Void
) async throws {
    let clock = ManualClock()
    let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(16), clock: clock.clock), clock: clock.clock)
    try await serve(cache, token: token) { try await test($0, clock) }
}

/// Serves the example API from a cache on a free port.
func serve(
    _ cache: ResponseCache,
    repository: Repository = Repository(),
    token: String? = nil,
    _ test: @escaping @Sendable (any TestClientProtocol) async throws -> Void
) async throws {
    let configuration = try DemoConfiguration(
        port: 0,
        adminToken: token.flatMap { BearerToken($0) },
        adminAccess: .loopback
    )
    let application = buildApplication(configuration, cache: cache, repository: repository, logger: .silent)
    try await application.test(.live) { try await test($0) }
}

/// Runs the example API for a test that writes to the socket itself.
func withPort(_ test: @escaping @Sendable (Int) async throws -> Void) async throws {
    try await withAPI { client, _ in try await test(try #require(client.port)) }
}

/// Runs a client of a server, with which a test changes or inspects the data of the server.
func withClient(
    of redis: RedisProcess,
    password: String? = nil,
    _ test: (RedisClient) async throws -> Void
) async throws {
    var configuration = RedisConfiguration.longTimeouts(redis.port)
    configuration.credentials = password.map { RedisConfiguration.Credentials(password: $0) }
    configuration.connections = 1
    let client = try RedisClient(configuration, logger: .silent)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await client.run() }
        defer { group.cancelAll() }
        try await eventually("the client is connected") { client.status.phase == .connected }
        try await test(client)
    }
}

extension Logger {
    static let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
}

extension RedisStore.Options {
    /// Options with timeouts of 30 seconds, for a busy machine: for tests that do not depend on times.
    static var longTimeouts: RedisStore.Options {
        var options = RedisStore.Options()
        options.timeout = .seconds(30)
        options.timeoutBounds = .seconds(30) ... .seconds(30)
        return options
    }
}

extension Wire {
    /// Returns the numbers of the metrics route.
    static func metrics(of port: Int) async throws -> Metrics {
        try JSONDecoder().decode(Metrics.self, from: Data(try await send("GET", "/metrics/cache", to: port).body))
    }
}

extension TestClientProtocol {
    /// Sends one request, and returns its response.
    func send(
        _ method: HTTPRequest.Method = .get,
        _ uri: String,
        _ headers: HTTPFields = [:],
        body: String? = nil
    ) async throws -> HummingbirdTesting.TestResponse {
        try await execute(uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
    }

    /// Returns the numbers of the metrics route.
    func metrics() async throws -> Metrics {
        try JSONDecoder().decode(Metrics.self, from: Data(try await send(.get, "/metrics/cache").text.utf8))
    }
}

/// The body of the metrics route.
struct Metrics: Decodable, Equatable {
    struct Pair: Decodable, Equatable {
        let key: String
        let count: Int

        init(from decoder: any Decoder) throws {
            var pair = try decoder.unkeyedContainer()
            key = try pair.decode(String.self)
            count = try pair.decode(Int.self)
        }
    }

    let hits: Int
    let misses: Int
    let topKeys: [Pair]
    let totalCachedKeys: Int

    enum CodingKeys: String, CodingKey {
        case hits, misses
        case topKeys = "top_keys"
        case totalCachedKeys = "total_cached_keys"
    }
}

extension HummingbirdTesting.TestResponse {
    var text: String { String(buffer: body) }
}
