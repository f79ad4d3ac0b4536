import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderDemo
import LarderTesting
import Logging
import NIOCore
import Testing

/// The example API on a free port, with a clock moved by hand, for the time of one test.
func withAPI(
    token: String? = nil,
    _ test: @escaping @Sendable (any TestClientProtocol, ManualClock) async throws -> Void
) async throws {
    let clock = ManualClock()
    let cache = Cache(store: MemoryStore(limit: .mebibytes(16), clock: clock.clock), clock: clock.clock)
    let configuration = try DemoConfiguration(port: 0, adminToken: token.flatMap { BearerToken($0) })
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let application = buildApplication(configuration, cache: cache, logger: logger)
    try await application.test(.live) { try await test($0, clock) }
}

/// The same, for who writes to the socket himself.
func withPort(_ test: @escaping @Sendable (Int) async throws -> Void) async throws {
    try await withAPI { client, _ in try await test(try #require(client.port)) }
}

extension Wire {
    /// The numbers of the metrics route.
    static func metrics(of port: Int) async throws -> Metrics {
        try JSONDecoder().decode(Metrics.self, from: Data(try await send("GET", "/metrics/cache", to: port).body))
    }
}

extension TestClientProtocol {
    /// The answer to one request.
    func send(
        _ method: HTTPRequest.Method = .get,
        _ uri: String,
        _ headers: HTTPFields = [:],
        body: String? = nil
    ) async throws -> HummingbirdTesting.TestResponse {
        try await execute(uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
    }

    /// The numbers of the metrics route.
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
    var cacheStatus: String { headers[HTTPField.Name("Cache-Status")!] ?? "" }
    var isHit: Bool { cacheStatus.contains("; hit") }
}
