import Foundation
import Larder
import LarderRedis
import LarderTestSupport
import NIOConcurrencyHelpers
import RedisClient
import TestHelpers
import Testing

/// Two gateways that share a store.
@Suite(.timeLimit(.minutes(5))) struct SharedStoreTests {
    private static let rounds = 200

    /// Runs two gateways on one Redis, before one origin whose responses are numbered and sent in several parts.
    private static func run(
        _ framing: @escaping @Sendable (String) -> [String],
        _ test: @Sendable (RunningGateway, RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        let version = NIOLockedValueBox(0)
        try await RedisProcess.run { redis in
            try await ScriptedOrigin.run { connection in
                while let request = try await connection.request() {
                    if request.method == "POST" {
                        version.withLockedValue { $0 += 1 }
                        try await connection.send(answer("200 OK", [], "done"))
                        continue
                    }
                    let body = "version \(version.withLockedValue { $0 }) of \(request.target)"
                    let parts = framing(body)
                    for part in parts { try await connection.send(part) }
                }
            } _: { origin in
                func store() throws -> RedisStore {
                    try RedisStore(.longTimeouts(redis.port), options: .longTimeouts, logger: .quiet)
                }
                let (first, second) = (try store(), try store())
                try await RunningGateway.run(before: origin.url, store: first) { one in
                    try await RunningGateway.run(before: origin.url, store: second) { other in
                        try await eventually("the store is connected") { first.isAvailable && second.isAvailable }
                        try await test(one, other, origin)
                    }
                }
            }
        }
    }

    private static let framings: [@Sendable (String) -> [String]] = [
        { body in
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            return [head, String(body.prefix(5)), String(body.dropFirst(5))]
        },
        { body in
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n"
            let parts: [Substring] = [body.prefix(5), body.dropFirst(5), ""]
            return [head] + parts.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }
        },
    ]

    @Test(arguments: [0, 1]) func `A stored response is visible to the other gateway as soon as its last byte is sent`(
        _ framing: Int
    ) async throws {
        try await Self.run(Self.framings[framing]) { one, other, origin in
            try await Wire.open(to: one.port) { first in
                try await Wire.open(to: other.port) { second in
                    for round in 0..<Self.rounds {
                        try await first.send("GET", "/\(round)")
                        let filled = try await first.answer()
                        try await second.send("GET", "/\(round)")
                        let hit = try await second.answer()
                        #expect(filled.text == "version 0 of /\(round)" && !filled.isHit)
                        #expect(hit.text == filled.text && hit.isHit, "\(round): \(hit.cacheStatusText)")
                    }
                    #expect(origin.requests.count == Self.rounds)
                }
            }
        }
    }

    @Test func `While Redis hangs a write reports a pending invalidation, and a purge is a 503`() async throws {
        try await RedisProcess.run { redis in
            try await ScriptedOrigin.run { connection in
                while try await connection.request() != nil { try await connection.send(answer("200 OK", [], "done")) }
            } _: { origin in
                var options = RedisStore.Options.longTimeouts
                options.invalidationTimeout = .milliseconds(300)
                options.timeout = .milliseconds(100)
                options.timeoutBounds = .milliseconds(100) ... .milliseconds(100)
                let store = try RedisStore(.longTimeouts(redis.port), options: options, logger: .quiet)
                try await RunningGateway.run(before: origin.url, store: store) { gateway in
                    try await eventually("the store is connected") { store.isAvailable }
                    redis.signal(SIGSTOP)
                    let pending = try await Wire.send("POST", "/a", body: "new", to: gateway.port)
                    #expect(pending.status == 200 && pending.cacheStatusText.contains("detail=invalidation-pending"))
                    for (method, target) in [("PURGE", "/a"), ("DELETE", "/-/larder/tags/a")] {
                        let refused = try await Wire.send(method, target, to: gateway.port)
                        #expect(refused.status == 503, "\(method)")
                    }
                    redis.signal(SIGCONT)
                    try await eventually("it is delivered") { store.pendingInvalidations == 0 }
                    let acknowledged = try await Wire.send("POST", "/a", body: "new", to: gateway.port)
                    #expect(acknowledged.status == 200 && !acknowledged.cacheStatusText.contains("pending"))
                    let purged = try await Wire.send("DELETE", "/-/larder/tags/a", to: gateway.port)
                    #expect(purged.status == 200)
                }
            }
        }
    }

    @Test(arguments: [0, 1]) func `An invalidation is visible to the other gateway as soon as its response is sent`(
        _ framing: Int
    ) async throws {
        try await Self.run(Self.framings[framing]) { one, other, _ in
            try await Wire.open(to: one.port) { first in
                try await Wire.open(to: other.port) { second in
                    for round in 1...Self.rounds {
                        try await second.send("GET", "/a")
                        #expect(try await second.answer().text == "version \(round - 1) of /a")
                        try await first.send("POST", "/a", body: "new")
                        #expect(try await first.answer().text == "done")
                        try await second.send("GET", "/a")
                        let fresh = try await second.answer()
                        #expect(fresh.text == "version \(round) of /a" && !fresh.isHit, "\(round)")
                        try await first.send("GET", "/a")
                        let hit = try await first.answer()
                        #expect(hit.text == "version \(round) of /a" && hit.isHit, "\(round): \(hit.cacheStatusText)")
                    }
                }
            }
        }
    }
}

extension RedisStore.Options {
    /// The options with timeouts that are long enough for a busy machine.
    static var longTimeouts: RedisStore.Options {
        var options = RedisStore.Options()
        options.timeout = .seconds(30)
        options.timeoutBounds = .seconds(30) ... .seconds(30)
        return options
    }
}
