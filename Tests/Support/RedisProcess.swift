public import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
package import RedisClient

/// A redis-server for one test: on a free port of 127.0.0.1, in a temporary directory, without persistence.
public final class RedisProcess: Sendable {
    public let port: Int
    public let directory: URL
    private let arguments: [String]
    private let process: NIOLockedValueBox<ChildProcess?>

    private init(port: Int, directory: URL, arguments: [String]) {
        self.port = port
        self.directory = directory
        self.arguments = arguments
        self.process = NIOLockedValueBox(nil)
    }

    /// Starts a server, and ends it after `body`.
    public static func run<Result: Sendable>(
        _ arguments: [String] = [],
        certificateFor names: String? = nil,
        _ body: (RedisProcess) async throws -> Result
    ) async throws -> Result {
        try await ProcessSlots.run { try await runNow(arguments, certificateFor: names, body) }
    }

    private static func runNow<Result: Sendable>(
        _ arguments: [String],
        certificateFor names: String?,
        _ body: (RedisProcess) async throws -> Result
    ) async throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appending(path: "redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        if let names { _ = try Certificate(for: names, in: directory, named: "redis") }
        let redis = try await started(in: directory, arguments)
        defer { redis.kill() }
        return try await body(redis)
    }

    /// Starts a server and waits until it listens. If another process has taken the port since it was found free, tries
    /// another port.
    private static func started(in directory: URL, _ arguments: [String]) async throws -> RedisProcess {
        for _ in 0..<5 {
            let redis = RedisProcess(port: try FreePort.take(), directory: directory, arguments: arguments)
            try redis.start()
            if try await redis.listens() { return redis }
            redis.kill()
        }
        throw Unusable(description: "redis-server ends as soon as it is started")
    }

    /// Waits until the server listens; returns false if it has ended instead.
    private func listens() async throws -> Bool {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        while process.withLockedValue({ $0?.isRunning == true }) {
            if let channel = try? await bootstrap.connect(host: "127.0.0.1", port: port).get() {
                try? await channel.close()
                // A process that took the port first would accept the connection as well.
                return process.withLockedValue { $0?.isRunning == true }
            }
            await Task.yield()
        }
        return false
    }

    public var socket: String { directory.appending(path: "redis.sock").path }
    public var certificate: String { directory.appending(path: "redis.crt").path }

    /// Starts the server (again). It may take a moment until it listens.
    public func start() throws {
        let base = ["--save", "", "--appendonly", "no", "--daemonize", "no", "--bind", "127.0.0.1"]
        let port = arguments.contains("--tls-port") ? ["--port", "0"] : ["--port", "\(port)"]
        let process = try ChildProcess(
            Tool.find("redis-server"),
            base + port + arguments.map { $0 == "PORT" ? "\(self.port)" : $0 },
            directory: directory
        )
        self.process.withLockedValue { $0 = process }
    }

    /// Kills the server, and starts it again on the same port and in the same directory: it reads the snapshot that a
    /// `SAVE` has left there, or begins empty. Returns once it listens.
    public func restart() async throws {
        kill()
        try start()
        guard try await listens() else { throw Unusable(description: "redis-server does not start again") }
    }

    /// Kills the server, as a crash would.
    public func kill() {
        guard let process = process.withLockedValue({ $0.take() }) else { return }
        process.signal(SIGKILL)
        process.waitUntilExit()
    }

    public func signal(_ signal: Int32) {
        process.withLockedValue { $0 }?.signal(signal)
    }
}

extension RedisConfiguration {
    /// Returns a configuration for a real server: with short delays between attempts to connect, and timeouts that are
    /// long enough for a busy machine.
    package static func longTimeouts(_ port: Int) -> RedisConfiguration {
        var configuration = RedisConfiguration(endpoint: .host("127.0.0.1", port: port))
        configuration.useLongTimeouts()
        return configuration
    }

    package mutating func useLongTimeouts() {
        reconnecting = ReconnectPlan(first: .milliseconds(5), longest: .milliseconds(50))
        connectTimeout = .seconds(30)
        silenceLimit = .seconds(60)
    }
}
