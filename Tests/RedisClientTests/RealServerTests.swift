import Foundation
import NIOCore
import TestHelpers
import Testing

@testable import RedisClient

/// Tests with a real Redis, which they start. Without redis-server they fail.
///
/// The results do not depend on time: deadlines are so long that they pass only if something hangs.
@Suite(.timeLimit(.minutes(5))) struct RealServerTests {
    private let limit = Duration.seconds(60)

    @Test func `Every command that is used has its documented effect`() async throws {
        try await RedisProcess.run { redis in
            try await withClient(.longTimeouts(redis.port)) { client in
                try await eventually { client.status.connections == 2 }
                let body = ByteBuffer(bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0) })
                try await client.set("a", to: body, for: .seconds(1_000), deadline: limit)
                #expect(try await client.get("a", deadline: limit) == body)
                #expect(try await client.get("b", deadline: limit) == nil)
                guard case .expires(let ttl) = try await client.pttl("a", deadline: limit) else {
                    Issue.record("a does not expire")
                    return
                }
                #expect(ttl <= .seconds(1_000) && ttl > .seconds(500))
                try await client.send(.set("c", to: ByteBuffer(string: "1")), deadline: limit).ok()
                #expect(try await client.pttl("c", deadline: limit) == .forever)
                #expect(try await client.pttl("b", deadline: limit) == .noSuchKey)
                #expect(try await client.dbsize(deadline: limit) == 2)
                #expect(try await client.unlink(["c", "b"], deadline: limit) == 1)
                #expect(try await client.unlink(["a"], deadline: limit) == 1)
                _ = try await client.send(RedisCommand("HSET", "h", "x", 1, "y", ""), deadline: limit).integer()
                #expect(
                    try await client.send(.hmget("h", fields: ["y", "z", "x"]), deadline: limit).elements()
                        .map { try $0.bytes() } == [ByteBuffer(), nil, ByteBuffer(string: "1")]
                )
                #expect(
                    try await client.send(RedisCommand("HGETALL", "h"), deadline: limit).pairs()
                        .map { "\(try $0.key.text())=\(try $0.value.text())" }.sorted() == ["x=1", "y="]
                )
                #expect(try await client.send(RedisCommand("HGETALL", "none"), deadline: limit).pairs().isEmpty)
                try await client.ping(deadline: limit)
                #expect(try await client.info("server", deadline: limit)["run_id"] == client.status.server?.runID)
                #expect(client.status.server?.role == "master")
            }
        }
    }

    @Test func `One failing command of a pipeline does not affect the others`() async throws {
        try await RedisProcess.run { redis in
            try await withClient(.longTimeouts(redis.port)) { client in
                try await eventually { client.status.connections == 2 }
                let replies = try await client.pipeline(
                    [
                        RedisCommand("SET", "a", "text"), RedisCommand("INCR", "a"), RedisCommand("HGETALL", "a"),
                        .get("a"),
                    ],
                    deadline: limit
                )
                try replies[0].ok()
                #expect(throws: RedisError.self) { try replies[1].integer() }
                do throws(RedisError) {
                    _ = try replies[2].pairs()
                } catch {
                    #expect(error.code == .refused)
                    #expect(error.reply?.code == "WRONGTYPE")
                }
                #expect(replies[3] == .text("text"))
            }
        }
    }

    @Test func `All types of RESP3 that Redis can send are decoded`() async throws {
        try await RedisProcess.run(["--enable-debug-command", "yes"]) { redis in
            try await withClient(.longTimeouts(redis.port)) { client in
                try await eventually { client.status.connections == 2 }
                let kinds = [
                    "string", "integer", "double", "null", "array", "set", "map", "attrib", "verbatim", "true", "false",
                    "bignum",
                ]
                let replies = try await client.pipeline(
                    kinds.map { RedisCommand("DEBUG", "PROTOCOL", .text($0)) },
                    deadline: limit
                )
                #expect(
                    replies == [
                        .text("Hello World"), .integer(12345), .double(3.141), .null,
                        .array([.integer(0), .integer(1), .integer(2)]), .set([.integer(0), .integer(1), .integer(2)]),
                        .map([
                            .init(.integer(0), .boolean(false)), .init(.integer(1), .boolean(true)),
                            .init(.integer(2), .boolean(false)),
                        ]), .text("Some real reply following the attribute"), .text("This is a verbatim\nstring"),
                        .boolean(true), .boolean(false), .bigNumber("1234567999999999999999999999999999999"),
                    ]
                )
            }
        }
    }

    @Test func `Changes of tracked keys are reported by pushes between the replies`() async throws {
        try await RedisProcess.run { redis in
            let pushes = Inbox<RedisPush>()
            var hooks = RedisClient.Hooks()
            hooks.onPush = { push, _ in pushes.add(push) }
            hooks.onConnect = { connection, _ in
                try await connection.send(RedisCommand("CLIENT", "TRACKING", "ON"), deadline: .seconds(60)).ok()
            }
            var configuration = RedisConfiguration.longTimeouts(redis.port)
            configuration.connections = 1
            try await withClient(configuration, hooks: hooks) { client in
                try await eventually { client.status.phase == .connected }
                let replies = try await client.pipeline(
                    [.get("a"), .set("a", to: ByteBuffer(string: "1")), .get("a")],
                    deadline: limit
                )
                #expect(replies == [.null, .status("OK"), .text("1")])
                try await eventually { !pushes.all.isEmpty }
                #expect(pushes.all == [RedisPush(kind: "invalidate", values: [.array([.text("a")])])])
            }
        }
    }

    @Test func `A password gives access, and a wrong one is reported to the owner`() async throws {
        try await RedisProcess.run(["--requirepass", "se cret"]) { redis in
            var configuration = try RedisConfiguration(url: "redis://:se%20cret@127.0.0.1:\(redis.port)")
            configuration.useLongTimeouts()
            try await withClient(configuration) { client in
                try await eventually { client.status.connections == 2 }
                try await client.ping(deadline: limit)
            }
            for wrong in [RedisConfiguration.Credentials(password: "wrong"), nil] {
                configuration.credentials = wrong
                try await withClient(configuration) { client in
                    let code = wrong == nil ? "NOAUTH" : "WRONGPASS"
                    try await eventually { client.status.lastError?.reply?.code == code }
                    #expect(client.status.phase == .down)
                    #expect(await errorCode { try await client.ping(deadline: limit) } == .unavailable)
                }
            }
        }
    }

    @Test func `Databases are separate, and one that does not exist is reported to the owner`() async throws {
        try await RedisProcess.run { redis in
            var configuration = RedisConfiguration.longTimeouts(redis.port)
            configuration.database = 3
            try await withClient(configuration) { client in
                try await eventually { client.status.connections == 2 }
                try await client.set("a", to: ByteBuffer(string: "3"), for: .seconds(100), deadline: limit)
                #expect(try await client.dbsize(deadline: limit) == 1)
            }
            try await withClient(.longTimeouts(redis.port)) { client in
                try await eventually { client.status.connections == 2 }
                #expect(try await client.dbsize(deadline: limit) == 0)
            }
            configuration.database = 99
            try await withClient(configuration) { client in
                try await eventually { client.status.lastError?.reply?.message.contains("out of range") == true }
            }
        }
    }

    @Test func `Scripts run by their digest, and once in full after the server has dropped them`() async throws {
        let script = RedisScript("return {KEYS[1], ARGV[1], redis.call('INCR', 'runs')}")
        try await RedisProcess.run { redis in
            try await withClient(.longTimeouts(redis.port)) { client in
                try await eventually { client.status.connections == 2 }
                for run in 1...4 {
                    if run == 3 { try await client.send(RedisCommand("SCRIPT", "FLUSH"), deadline: limit).ok() }
                    let reply = try await client.run(script, keys: ["k"], arguments: ["v"], deadline: limit)
                    #expect(reply == .array([.text("k"), .text("v"), .integer(Int64(run))]))
                }
                let stats = try await client.info("commandstats", deadline: limit)
                #expect(stats["cmdstat_eval"]?.hasPrefix("calls=2,") == true)
                #expect(stats["cmdstat_evalsha"]?.hasPrefix("calls=4,") == true)
                #expect(
                    await errorCode {
                        _ = try await client.run(RedisScript("return nonsense("), keys: [], deadline: limit)
                    } == .refused
                )
            }
        }
    }

    @Test func `A killed server fails the commands in flight, and is reached again with another run ID`() async throws {
        try await RedisProcess.run { redis in
            let met = Inbox<String?>()
            var hooks = RedisClient.Hooks()
            hooks.onConnect = { _, server in met.add(server.runID) }
            try await withClient(.longTimeouts(redis.port), hooks: hooks) { client in
                try await eventually { client.status.connections == 2 }
                let before = client.status
                let caller = Task {
                    await errorCode {
                        _ = try await client.send(RedisCommand("BLPOP", "none", 0), deadline: .seconds(60))
                    }
                }
                // Every second question uses the connection that is blocked, and is not answered.
                try await eventually {
                    let clients = try? await client.info("clients", deadline: .milliseconds(500))
                    return clients?["blocked_clients"] == "1"
                }
                redis.kill()
                #expect(await caller.value == .connectionLost)
                try await eventually { client.status.phase == .down }
                #expect(await errorCode { try await client.ping(deadline: .seconds(60)) } == .unavailable)
                try redis.start()
                try await eventually { client.status.connections == 2 }
                try await client.ping(deadline: limit)
                #expect(client.status.generation > before.generation)
                #expect(client.status.server?.runID != before.server?.runID)
                #expect(Set(met.all) == [before.server?.runID, client.status.server?.runID])
            }
        }
    }

    @Test
    func `While a server hangs, callers wait until their deadlines; then the same connections go on`() async throws {
        try await RedisProcess.run { redis in
            var configuration = RedisConfiguration.longTimeouts(redis.port)
            configuration.connections = 1
            try await withClient(configuration) { client in
                try await eventually { client.status.phase == .connected }
                let generation = client.status.generation
                try await client.set("a", to: ByteBuffer(string: "1"), for: .seconds(100), deadline: limit)
                redis.signal(SIGSTOP)
                let waiting = Task { try await client.get("a", deadline: .seconds(60)) }
                for _ in 0..<3 {
                    let code = await errorCode { _ = try await client.get("a", deadline: .milliseconds(50)) }
                    #expect(code == .deadlineExceeded)
                }
                redis.signal(SIGCONT)
                #expect(try await waiting.value == ByteBuffer(string: "1"))
                #expect(try await client.dbsize(deadline: limit) == 1)
                #expect(client.status.generation == generation)
            }
        }
    }

    @Test
    func `A server that hangs beyond the silence limit is disconnected, and reached again later`() async throws {
        try await RedisProcess.run { redis in
            var configuration = RedisConfiguration.longTimeouts(redis.port)
            configuration.silenceLimit = .milliseconds(500)
            configuration.heartbeat = .milliseconds(20)
            configuration.connectTimeout = .seconds(1)
            try await withClient(configuration) { client in
                try await eventually { client.status.connections == 2 }
                redis.signal(SIGSTOP)
                // The test does not send commands, so the heartbeat has to notice it.
                try await eventually { client.status.phase == .down }
                #expect(await errorCode { try await client.ping(deadline: .seconds(60)) } == .unavailable)
                redis.signal(SIGCONT)
                // With such a short silence limit, a connection may be lost again on a busy machine.
                try await eventually { await errorCode { try await client.ping(deadline: limit) } == nil }
            }
        }
    }

    @Test func `A server may listen on a Unix socket`() async throws {
        try await RedisProcess.run(["--unixsocket", "redis.sock"]) { redis in
            var configuration = try RedisConfiguration(url: "unix://\(redis.socket)?db=2")
            configuration.useLongTimeouts()
            try await withClient(configuration) { client in
                try await eventually { client.status.connections == 2 }
                try await client.ping(deadline: limit)
            }
        }
    }

    @Test(arguments: ["localhost", "127.0.0.1"])
    func `TLS works with a certificate that is trusted and names the server`(host: String) async throws {
        try await withTLS { redis in
            var configuration = try configuration(redis, host: host)
            configuration.tls?.trustRoots = redis.certificate
            try await withClient(configuration) { client in
                try await eventually { client.status.connections == 2 }
                let body = ByteBuffer(repeating: 7, count: 1_000_000)
                try await client.set("a", to: body, for: .seconds(100), deadline: limit)
                #expect(try await client.get("a", deadline: limit) == body)
            }
        }
    }

    @Test func `TLS with an untrusted certificate does not connect`() async throws {
        try await withTLS { redis in
            try await withClient(try configuration(redis, host: "localhost")) { client in
                // Until the server listens, the error is a different one.
                try await eventually {
                    client.status.lastError.map { "\($0)".contains("is not trusted") } ?? false
                }
                #expect(client.status.phase == .down)
            }
        }
    }

    @Test(arguments: ["localhost", "127.0.0.1"])
    func `TLS with a certificate for another name does not connect`(host: String) async throws {
        try await withTLS(names: "DNS:elsewhere.example,IP:127.0.0.9") { redis in
            var configuration = try configuration(redis, host: host)
            configuration.tls?.trustRoots = redis.certificate
            try await withClient(configuration) { client in
                // Until the server listens, the error is a different one.
                try await eventually {
                    client.status.lastError.map { "\($0)".contains("is for another host") } ?? false
                }
                #expect(client.status.phase == .down)
            }
        }
    }

    @Test func `A missing file of certificates is reported at once`() throws {
        var configuration = try RedisConfiguration(url: "rediss://localhost")
        configuration.tls?.trustRoots = "/nowhere/ca.pem"
        do throws(RedisError) {
            _ = try RedisClient(configuration, logger: silent)
            Issue.record("it was accepted")
        } catch {
            #expect(error.code == .invalidConfiguration)
        }
    }

    private func withTLS(
        names: String = "DNS:localhost,IP:127.0.0.1",
        _ body: (RedisProcess) async throws -> Void
    ) async throws {
        let arguments = [
            "--tls-port", "PORT", "--tls-cert-file", "redis.crt", "--tls-key-file", "redis.key", "--tls-auth-clients",
            "no",
            "--tls-ca-cert-file", "redis.crt",
        ]
        try await RedisProcess.run(arguments, certificateFor: names, body)
    }

    private func configuration(_ redis: RedisProcess, host: String) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: "rediss://\(host):\(redis.port)")
        configuration.useLongTimeouts()
        return configuration
    }
}
