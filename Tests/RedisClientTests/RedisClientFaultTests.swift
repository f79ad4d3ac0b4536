import NIOCore
import ServiceLifecycle
import Synchronization
import TestHelpers
import Testing

@testable import RedisClient

/// Tests of a client with a server that misbehaves, over real sockets.
@Suite(.timeLimit(.minutes(10))) struct RedisClientFaultTests {
    @Test func `A thousand callers share two connections, and each gets the reply to its command`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        try await withClient(.local(server.port)) { client in
            try await eventually { client.status.connections == 2 }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 {
                    group.addTask {
                        let reply = try await client.get("\(number)", deadline: .seconds(10))
                        #expect(reply == ByteBuffer(string: "\(number)"))
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(server.connections == 2)
        await server.stop()
    }

    static let nonsense: [String] = [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "$9223372036854775807\r\n",
        "*9223372036854775807\r\n",
        String(repeating: "*1\r\n", count: 1000),
        "%-3\r\n",
        "\0\r\n",
        "+OK\r\n+OK\r\n+OK\r\n",
        "\0\0\0\0\0\0",
    ]

    @Test(arguments: nonsense)
    func `Nonsense instead of a greeting is reported as an error, and the client tries again`(
        nonsense: String
    ) async throws {
        let server = try await FakeServer.start { _, _ in .send(nonsense) }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connectTimeout = .milliseconds(200)
        try await withClient(configuration) { client in
            try await eventually { client.status.phase == .down && server.connections > 4 }
            #expect(client.status.lastError != nil)
            #expect(await errorCode { _ = try await client.get("a", deadline: .seconds(10)) } == .unavailable)
            server.change { command, _ in FakeServer.healthy(command) }
            try await eventually { client.status.connections == 2 }
            #expect(try await client.get("a", deadline: .seconds(10)) == ByteBuffer(string: "a"))
        }
        await server.stop()
    }

    @Test(arguments: nonsense.dropLast(2))
    func `Nonsense after the greeting fails the commands in flight, and the client connects again`(
        nonsense: String
    ) async throws {
        let server = try await FakeServer.start { command, _ in
            command[0] == "GET" && command[1] == "bad" ? .send(nonsense) : FakeServer.healthy(command)
        }
        try await withClient(.local(server.port)) { client in
            try await eventually { client.status.connections == 2 }
            let generation = client.status.generation
            let code = await errorCode { _ = try await client.get("bad", deadline: .seconds(10)) }
            #expect(code == .protocolViolation)
            try await eventually { client.status.generation > generation && client.status.connections == 2 }
            #expect(try await client.get("good", deadline: .seconds(10)) == ByteBuffer(string: "good"))
        }
        await server.stop()
    }

    @Test(arguments: [
        "+" + String(repeating: "x", count: 1000), "|1\r\n+a\r\n+b\r\n", "*1000\r\n:1\r\n", ">1\r\n+push\r\n",
    ]) func `A server that does not stop sending is disconnected`(flood: String) async throws {
        let server = try await FakeServer.start { command, _ in
            command[0] == "GET" && command[1] == "bad" ? .flood(flood) : FakeServer.healthy(command)
        }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connections = 1
        configuration.silenceLimit = .milliseconds(50)
        configuration.limits.replyBytes = 1024 * 1024
        try await withClient(configuration) { client in
            try await eventually { client.status.phase == .connected }
            #expect(await errorCode { _ = try await client.get("bad", deadline: .milliseconds(500)) } != nil)
            try await eventually { server.connections > 1 && client.status.phase == .connected }
            #expect(try await client.get("good", deadline: .seconds(10)) == ByteBuffer(string: "good"))
        }
        await server.stop()
    }

    @Test func `A partial reply before the end of the connection is not returned`() async throws {
        let server = try await FakeServer.start { command, _ in
            command[0] == "GET" && command[1] == "bad" ? .sendAndClose("$10\r\nhalf") : FakeServer.healthy(command)
        }
        try await withClient(.local(server.port)) { client in
            try await eventually { client.status.connections == 2 }
            #expect(await errorCode { _ = try await client.get("bad", deadline: .seconds(10)) } == .connectionLost)
            try await eventually { client.status.connections == 2 && server.connections == 3 }
            #expect(try await client.get("good", deadline: .seconds(10)) == ByteBuffer(string: "good"))
        }
        await server.stop()
    }

    @Test func `A missing reply costs its caller the deadline, and does not affect other callers`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connections = 1
        // The heartbeat would end a connection whose server is silent for long, and this machine may be slow.
        configuration.heartbeat = .seconds(300)
        try await withClient(configuration) { client in
            try await eventually { client.status.phase == .connected }
            server.change { _, _ in .nothing }
            #expect(await errorCode { _ = try await client.get("a", deadline: .milliseconds(20)) } == .deadlineExceeded)
            try await eventually { server.commands.all.last == "GET a" }
            server.change { command, _ in FakeServer.healthy(command) }
            // The late reply is discarded; the next one is waited for.
            try await server.say("$1\r\na\r\n", on: 0)
            let reply = try await client.get("b", deadline: .seconds(10))
            #expect(reply == ByteBuffer(string: "b"))
        }
        #expect(server.connections == 1)
        await server.stop()
    }

    @Test func `A server that does not answer the greeting is given up after the connect timeout`() async throws {
        let server = try await FakeServer.start { _, _ in .nothing }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connectTimeout = .milliseconds(30)
        try await withClient(configuration) { client in
            try await eventually { client.status.lastError?.code == .deadlineExceeded && server.connections > 2 }
        }
        await server.stop()
    }

    @Test func `The heartbeat notices replies that belong to other commands`() async throws {
        let server = try await FakeServer.start { command, connection in
            command[0] == "PING" && connection == 0 ? .send("$5\r\nother\r\n") : FakeServer.healthy(command)
        }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connections = 1
        configuration.heartbeat = .milliseconds(5)
        try await withClient(configuration) { client in
            try await eventually { client.status.generation >= 2 }
            #expect(client.status.lastError?.code == .protocolViolation)
            try await eventually { server.commands.all.count { $0.hasPrefix("PING larder 2") } > 3 }
        }
        #expect(server.connections == 2, "a heartbeat that is answered does no harm")
        await server.stop()
    }

    @Test func `A reply of a type that the command never returns is an error, not a crash`() async throws {
        let server = try await FakeServer.start { command, _ in
            ["HELLO", "INFO", "PING"].contains(command[0]) ? FakeServer.healthy(command) : .send("*1\r\n#t\r\n")
        }
        try await withClient(.local(server.port)) { client in
            try await eventually { client.status.phase == .connected }
            let limit = Duration.seconds(10)
            let calls: [@Sendable () async throws -> Void] = [
                { _ = try await client.get("a", deadline: limit) },
                { try await client.set("a", to: ByteBuffer(), for: .seconds(1), deadline: limit) },
                { _ = try await client.pttl("a", deadline: limit) },
                { _ = try await client.unlink(["a"], deadline: limit) },
                { _ = try await client.send(RedisCommand("HGETALL", "a"), deadline: limit).pairs() },
                { _ = try await client.dbsize(deadline: limit) },
            ]
            for call in calls { #expect(await errorCode { try await call() } == .unexpectedReply) }
        }
        await server.stop()
    }

    @Test
    func `A cancelled caller returns at once, and others on the same connection get their replies`() async throws {
        let server = try await FakeServer.start { command, _ in FakeServer.healthy(command) }
        var configuration = RedisConfiguration.local(server.port)
        configuration.connections = 1
        try await withClient(configuration) { client in
            try await eventually { client.status.phase == .connected }
            server.change { _, _ in .nothing }
            let caller = Task { await errorCode { _ = try await client.get("a", deadline: .seconds(60)) } }
            let other = Task { try await client.get("b", deadline: .seconds(60)) }
            try await eventually { server.commands.all.filter { $0.hasPrefix("GET") }.count == 2 }
            let order = server.commands.all.filter { $0.hasPrefix("GET") }
            caller.cancel()
            #expect(await caller.value == .cancelled)
            for command in order { try await server.say("$1\r\n\(command.last ?? "?")\r\n", on: 0) }
            #expect(try await other.value == ByteBuffer(string: "b"))
            let cancelled = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await errorCode { _ = try await client.get("never sent", deadline: .seconds(60)) }
            }
            #expect(await cancelled.value == .cancelled)
        }
        #expect(server.connections == 1)
        #expect(!server.commands.all.contains("GET never sent"))
        await server.stop()
    }

    @Test
    func `A script that the server does not know is sent in full, and its reply replaces the error`() async throws {
        let script = RedisScript("return 'x'")
        let server = try await FakeServer.start { command, _ in
            switch command[0] {
            case "EVALSHA": .send("-NOSCRIPT No matching script. Please use EVAL.\r\n")
            case "EVAL": .send("+ran with \(command.dropFirst(2).joined(separator: " "))\r\n")
            default: FakeServer.healthy(command)
            }
        }
        try await withClient(.local(server.port)) { client in
            try await eventually { client.status.phase == .connected }
            let replies = try await client.pipeline(
                [.get("a"), .run(script, keys: ["k"], arguments: [7]), .get("b"), RedisCommand("EVALSHA", "0", "0")],
                deadline: .seconds(10)
            )
            #expect(replies[0...2] == [.text("a"), .status("ran with 1 k 7"), .text("b")])
            #expect(throws: RedisError.self, "a command without a source has no second attempt") { try replies[3].ok() }
        }
        await server.stop()
    }
}
