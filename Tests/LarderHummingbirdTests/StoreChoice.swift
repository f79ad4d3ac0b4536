import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderRedis
import TestHelpers
import Testing

/// A store that a test of routes runs on.
enum StoreChoice: String, CaseIterable, CustomTestStringConvertible {
    case memory, redis

    var testDescription: String { rawValue }

    /// Calls a function with an empty store of this kind, and a second one that shares its content: the same store in
    /// memory, or another client of the same Redis.
    func withStores(
        _ body: @Sendable ((own: any CacheStore, peer: any CacheStore)) async throws -> Void
    ) async throws {
        switch self {
        case .memory:
            let store = MemoryStore(limit: .mebibytes(64))
            try await body((store, store))
        case .redis:
            try await RedisProcess.run { redis in
                try await body((Self.redisStore(redis.port), Self.redisStore(redis.port)))
            }
        }
    }

    private static func redisStore(_ port: Int) throws -> RedisStore {
        var options = RedisStore.Options()
        options.timeout = .seconds(30)
        options.timeoutBounds = .seconds(30) ... .seconds(30)
        options.invalidationTimeout = .seconds(30)
        return try RedisStore("redis://127.0.0.1:\(port)", options: options)
    }

    /// Calls a function with an empty cache on this store.
    func withCache(_ body: @Sendable (ResponseCache) async throws -> Void) async throws {
        switch self {
        case .memory: try await body(Bench().cache)
        case .redis:
            try await RedisProcess.run { redis in
                let cache = ResponseCache(store: try Self.redisStore(redis.port))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await cache.run() }
                    try await eventually("Redis is connected") { cache.isStoreAvailable }
                    try await body(cache)
                    group.cancelAll()
                }
            }
        }
    }
}

extension TestClientProtocol {
    /// Returns the number that the text of a response begins with.
    func number(_ uri: String, _ headers: HTTPFields = [:]) async throws -> Int? {
        try await Int(get(uri, headers).text.prefix { $0.isNumber })
    }

    /// Sends a request with a text as its content.
    func send(
        _ method: HTTPRequest.Method,
        _ uri: String,
        _ headers: HTTPFields = [:],
        content: String = ""
    ) async throws -> HummingbirdTesting.TestResponse {
        var headers = headers
        headers[.contentLength] = String(content.utf8.count)
        return try await execute(uri: uri, method: method, headers: headers, body: ByteBuffer(string: content))
    }
}

/// Records an issue unless a value is the expected one. The compiler does not accept `#expect` with `try` in closures
/// that are nested in closures.
func expectEqual<Value: Equatable>(
    _ found: Value,
    _ expected: Value,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(found == expected, sourceLocation: sourceLocation)
}

/// Records an issue unless a condition is met.
func expectTrue(_ isMet: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(isMet, sourceLocation: sourceLocation)
}
