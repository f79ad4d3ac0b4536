import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import Testing

/// The built program with a database file and a Redis, killed and started again.
@Suite(.timeLimit(.minutes(5)))
final class RestartTests {
    private let directory: URL
    private let redis: ChildProcess
    private let redisPort: Int
    private var servers: [Server] = []

    init() async throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "catalogue-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        redisPort = try await freePort()
        redis = try ChildProcess(
            installed("redis-server"),
            ["--port", "\(redisPort)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            in: directory
        )
        try await waitUntilListening(redisPort, redis)
    }

    deinit {
        for server in servers { server.process.kill() }
        redis.kill()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Starts the program on a free port. All servers of a test share the database file and the Redis.
    private func start() async throws -> Server {
        let port = try await freePort()
        let process = try ChildProcess(
            productsDirectory.appending(path: "catalogue"),
            environment: [
                "PORT": "\(port)", "CATALOGUE_DATABASE": directory.appending(path: "test.sqlite").path,
                "REDIS_URL": "redis://127.0.0.1:\(redisPort)", "LOG_LEVEL": "error",
            ],
            in: directory
        )
        try await waitUntilListening(port, process)
        let server = Server(process: process, port: port)
        servers.append(server)
        return server
    }

    @Test("After a crash the data is there, what was stored is a hit, and what was written is not stale")
    func crash() async throws {
        let first = try await start()
        let cookie = try await first.signIn()
        let before = try await first.storedProduct(1)
        _ = try await first.storedProduct(2)
        try await first.review(1, cookie)
        first.process.kill()

        let second = try await start()
        // Until it is connected to Redis, the program answers without storing.
        let other = try await second.connected("/api/products/2")
        #expect(other.isHit)
        let after = try await second.get("/api/products/1")
        #expect(!after.isHit)
        #expect(try after.product().reviews == before.reviews + 1)
        // The session is in the database too.
        try await second.review(2, cookie)
        #expect(try await !second.get("/api/products/2").isHit)
    }

    @Test("A write through another process, while this one is dead, is not stale after the restart")
    func writeBetween() async throws {
        let first = try await start()
        let second = try await start()
        let cookie = try await first.signIn()
        let before = try await first.storedProduct(1)
        _ = try await first.storedProduct(2)
        #expect(try await second.connected("/api/products/1").isHit)
        first.process.kill()
        try await second.review(1, cookie)

        let third = try await start()
        #expect(try await third.connected("/api/products/2").isHit)
        #expect(try await third.get("/api/products/1").product().reviews == before.reviews + 1)
        #expect(try await third.get("/api/products/1").isHit)
    }
}

/// A running program.
private struct Server {
    let process: ChildProcess
    let port: Int

    func get(_ uri: String) async throws -> TestClient.Response { try await send(.get, uri) }

    func send(
        _ method: HTTPRequest.Method,
        _ uri: String,
        _ body: String? = nil,
        headers: HTTPFields = [:]
    ) async throws -> TestClient.Response {
        let body = body.map { ByteBuffer(string: $0) }
        let authority = "127.0.0.1:\(port)"
        let request = TestClient.Request(uri, method: method, authority: authority, headers: headers, body: body)
        return try await TestClient.withClient(host: "127.0.0.1", port: port) { try await $0.execute(request) }
    }

    /// Returns the first response with which Redis has something to do: a hit, or one that is stored.
    func connected(_ uri: String) async throws -> TestClient.Response {
        var response = try await get(uri)
        try await eventually {
            response = try await get(uri)
            return response.isHit || response.cacheStatus.contains("stored")
        }
        return response
    }

    /// Returns a product when its response is stored.
    func storedProduct(_ id: Int) async throws -> ProductBody {
        try await eventually { try await get("/api/products/\(id)").isHit }
        return try await get("/api/products/\(id)").product()
    }

    func signIn() async throws -> String {
        let response = try await send(.post, "/api/session", #"{"name":"Ada","password":"ada-password"}"#)
        return String(try #require(response.headers[.setCookie]?.split(separator: ";").first))
    }

    func review(_ id: Int, _ cookie: String) async throws {
        let body = #"{"stars":5,"text":"Good"}"#
        let response = try await send(.post, "/api/products/\(id)/reviews", body, headers: [.cookie: cookie])
        #expect(response.status == .created)
        #expect(!response.cacheStatus.contains("invalidation-pending"))
    }
}

extension TestClient.Response {
    fileprivate var cacheStatus: String { headers[values: HTTPField.Name("Cache-Status")!].joined(separator: ", ") }
    fileprivate var isHit: Bool { cacheStatus.contains("; hit") }

    fileprivate func product() throws -> ProductBody {
        try JSONDecoder().decode(ProductBody.self, from: Data(try #require(body).readableBytesView))
    }
}
