import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import TestHelpers
import Testing

@testable import RedisClient

/// Tests of a client from its first attempt to its end, with a scripted server.
@Suite(.timeLimit(.minutes(10))) struct RedisClientLifeTests {
    @Test func `The greeting names protocol, user, client and database in one round trip`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        var configuration = RedisConfiguration.local(server.port)
        configuration.credentials = .init(user: "ada", password: "secret")
        configuration.database = 3
        configuration.connections = 1
        try await withClient(configuration) { client in
            try await eventually { client.status.phase == .connected }
            #expect(client.status.server == RedisServer(runID: "run-1", version: "7.0.15", role: "master"))
        }
        #expect(server.commands.all == ["HELLO 3 AUTH ada secret SETNAME larder", "INFO server", "SELECT 3"])
        await server.stop()
    }

    @Test func `A server that refuses INFO is used, and its run ID is unknown`() async throws {
        let server = try await FakeServer.start { command, _ in
            command[0] == "INFO" ? .send("-NOPERM this user has no permissions\r\n") : FakeServer.healthy(command)
        }
        try await withClient(.local(server.port)) { client in
            try await eventually { client.status.connections == 2 }
            #expect(client.status.server?.runID == nil)
        }
        #expect(!server.commands.all.contains { $0.hasPrefix("SELECT") })
        await server.stop()
    }

    @Test func `Before it runs, and without a server, a client fails commands at once with the reason`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        let port = server.port
        await server.stop()
        let idle = try RedisClient(.local(port), logger: silent)
        #expect(idle.status.phase == .connecting)
        #expect(await errorCode { try await idle.ping(deadline: .seconds(60)) } == .unavailable)
        try await withClient(.local(port)) { client in
            try await eventually { client.status.phase == .down }
            do throws(RedisError) {
                try await client.ping(deadline: .seconds(60))
                Issue.record("there was no client to ping")
            } catch {
                #expect(error.code == .unavailable)
                #expect("\(error)".contains("cannot connect to 127.0.0.1:\(port) (the connection was refused, "))
            }
        }
    }

    @Test func `A connection does not take commands of callers until its owner's hook has returned`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connections = 1
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let met = Inbox<RedisServer>()
        var hooks = RedisClient.Hooks()
        hooks.onConnect = { connection, server in
            met.add(server)
            _ = try await connection.get("of the owner", deadline: .seconds(10))
            for await _ in gate { break }
        }
        try await withClient(configuration, hooks: hooks) { client in
            try await eventually { server.commands.all.last == "GET of the owner" }
            #expect(client.status.phase != .connected)
            #expect(await errorCode { _ = try await client.get("early", deadline: .seconds(60)) } == .unavailable)
            opener.yield()
            try await eventually { client.status.phase == .connected }
            #expect(try await client.get("late", deadline: .seconds(10)) == ByteBuffer(string: "late"))
        }
        #expect(met.all.map(\.runID) == ["run-1"])
        #expect(server.commands.all.suffix(2) == ["GET of the owner", "GET late"])
        await server.stop()
    }

    @Test
    func `A connection that its owner rejects does not take commands, and another attempt follows`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        let attempts = NIOLockedValueBox(0)
        var configuration = RedisConfiguration.local(server.port)
        configuration.connections = 1
        var hooks = RedisClient.Hooks()
        hooks.onConnect = { _, _ in
            let attempt = attempts.withLockedValue { attempts in
                attempts += 1
                return attempts
            }
            if attempt < 3 { throw CancellationError() }
        }
        try await withClient(configuration, hooks: hooks) { client in
            try await eventually { client.status.phase == .connected }
            // A slow machine may lose the third connection too.
            #expect(client.status.generation >= 3)
            #expect(client.status.lastError?.code == .unavailable)
        }
        await server.stop()
    }

    @Test
    func `When another server is reached, the connections to the previous one are not used any more`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        let seen = Inbox<(generation: Int, runID: String?, open: Int)>()
        let box = NIOLockedValueBox<RedisClient?>(nil)
        var hooks = RedisClient.Hooks()
        hooks.onConnect = { connection, server in
            let open = box.withLockedValue { $0?.status.connections } ?? 0
            seen.add((connection.generation, server.runID, open))
        }
        try await withClient(.local(server.port), hooks: hooks) { client in
            box.withLockedValue { $0 = client }
            try await eventually { client.status.connections == 2 }
            server.change { command, _ in FakeServer.healthy(command, runID: "run-2") }
            server.cut(0)
            try await eventually { client.status.connections == 2 && server.connections == 4 }
            #expect(client.status.server?.runID == "run-2")
        }
        let met = try #require(seen.all.first { $0.runID == "run-2" })
        #expect(met.open == 0, "nothing is read from the old server while its successor is introduced")
        #expect(seen.all.map(\.runID) == ["run-1", "run-1", "run-2", "run-2"])
        await server.stop()
    }

    @Test func `Pushes reach their hook with the generation of their connection`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        let pushes = Inbox<String>()
        var hooks = RedisClient.Hooks()
        hooks.onPush = { push, generation in pushes.add("\(push.kind) on \(generation)") }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connections = 1
        try await withClient(configuration, hooks: hooks) { client in
            try await eventually { client.status.phase == .connected }
            try await server.say(">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", on: 0)
            try await eventually { pushes.all == ["invalidate on 1"] }
        }
        await server.stop()
    }

    @Test func `Attempts to connect follow the delays of the plan`() async throws {
        let server = try await FakeServer.start { _, _ in .sendAndClose("") }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connections = 1
        configuration.reconnecting = ReconnectPlan(first: .seconds(10), longest: .seconds(60))
        let clock = HastyClock()
        try await withClient(configuration, clock: clock) { _ in
            try await eventually { clock.sleeps.all.count >= 5 }
        }
        let bounds: [Duration] = [.seconds(10), .seconds(20), .seconds(40), .seconds(60), .seconds(60)]
        for (sleep, bound) in zip(clock.sleeps.all, bounds) { #expect(sleep <= bound && sleep >= bound / 2) }
        await server.stop()
    }

    @Test func `A graceful shutdown answers the commands in flight, rejects others, and returns`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        let client = try RedisClient(.local(server.port), logger: silent)
        let group = ServiceGroup(services: [client], logger: silent)
        let running = Task { try await group.run() }
        try await eventually { client.status.connections == 2 }
        server.change { _, _ in .nothing }
        let caller = Task { try await client.get("a", deadline: .seconds(60)) }
        try await eventually { server.commands.all.last == "GET a" }
        await group.triggerGracefulShutdown()
        try await eventually { client.status.phase == .stopped }
        #expect(await errorCode { _ = try await client.get("b", deadline: .seconds(60)) } == .unavailable)
        // The connection that waits for no reply is closed by now.
        for connection in 0...1 { try? await server.say("$1\r\na\r\n", on: connection) }
        _ = try? await caller.value
        try await running.value
        await server.stop()
    }

    @Test func `A client that is cancelled while it connects does not wait for the server`() async throws {
        let server = try await FakeServer.start { _, _ in .nothing }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connectTimeout = .seconds(600)
        try await withClient(configuration) { client in
            try await eventually { server.connections == 2 }
        }
        await server.stop()
    }

    @Test func `The log reports once that Redis is down, and once that it is back`() async throws {
        let server = try await FakeServer.start { _, _ in .sendAndClose("") }
        let log = Inbox<String>()
        var logger = Logger(label: "test") { _ in RecordingLog(lines: log) }
        logger.logLevel = .info
        try await withClient(.local(server.port), logger: logger) { client in
            try await eventually { server.connections > 10 }
            server.change { command, _ in FakeServer.healthy(command) }
            try await eventually { client.status.connections == 2 }
        }
        #expect(log.all == ["warning: Redis is not connected", "info: Redis is connected"])
        await server.stop()
    }
}

/// A clock whose sleeps return at once.
struct HastyClock: Clock {
    let sleeps = Inbox<Duration>()

    var now: ContinuousClock.Instant { .now }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {
        sleeps.add(deadline - now + .milliseconds(1))
        await Task.yield()
    }
}

struct RecordingLog: LogHandler {
    let lines: Inbox<String>
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.add("\(event.level): \(event.message)")
    }
}
