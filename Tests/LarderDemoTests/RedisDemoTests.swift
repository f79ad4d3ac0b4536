import Foundation
import LarderTestSupport
import NIOCore
import NIOPosix
import TestHelpers
import Testing

/// Tests of the program with a Redis, as a user starts it.
@Suite(.timeLimit(.minutes(5))) struct RedisDemoTests {
    @Test func `A Redis that is not running is reported in the log, and is used once it starts`() async throws {
        try await RedisProcess.run { redis in
            redis.kill()
            try await Self.withDemo(on: redis) { demo, port in
                try await eventually("it is logged: \(demo.output)") {
                    demo.output.contains("Redis does not answer: requests are answered without it")
                }
                for _ in 0..<10 {
                    let posts = try await Wire.send("GET", "/api/posts/", to: port)
                    #expect(posts.text == SpecificationTests.posts && !posts.isHit)
                }
                try redis.start()
                try await eventually("there are hits") {
                    (try? await Wire.send("GET", "/api/posts/", to: port))?.isHit == true
                }
                let lines = demo.output.split(separator: "\n").filter { $0.contains("Redis") }
                #expect(lines.count == 2)
                #expect(lines.last?.contains("Redis answers again") == true)
            }
        }
    }

    @Test func `While Redis hangs, a write reports a pending invalidation, and DELETE returns 503`() async throws {
        try await RedisProcess.run { redis in
            try await Self.withDemo(on: redis) { demo, port in
                try await eventually("there are hits") {
                    (try? await Wire.send("GET", "/api/users/1", to: port))?.isHit == true
                }
                func put() async throws -> Wire.Answer {
                    try await Wire.send("PUT", "/api/users/1", body: #"{"name":"x"}"#, to: port)
                }
                func delete() async throws -> Int {
                    try await Wire.send("DELETE", "/api/invalidate/GET:/api/users/1", to: port).status
                }
                redis.signal(SIGSTOP)
                let pending = try await put()
                #expect(pending.status == 200 && pending.cacheStatusText.contains("detail=invalidation-pending"))
                #expect(try await delete() == 503)
                let read = try await Wire.send("GET", "/api/users/1", to: port)
                #expect(read.text == #"{"user":{"id":1,"name":"x"}}"# && !read.isHit)
                redis.signal(SIGCONT)
                try await eventually("it is delivered") { (try? await delete()).map { $0 != 503 } == true }
                let acknowledged = try await put()
                #expect(acknowledged.status == 200 && !acknowledged.cacheStatusText.contains("pending"))
            }
        }
    }

    @Test func `The program exits on SIGTERM while Redis hangs`() async throws {
        try await RedisProcess.run { redis in
            try await Self.withDemo(on: redis) { demo, port in
                try await eventually("there are hits") {
                    (try? await Wire.send("GET", "/api/posts/", to: port))?.isHit == true
                }
                redis.signal(SIGSTOP)
                let put = try await Wire.send("PUT", "/api/users/1", body: #"{"name":"x"}"#, to: port)
                #expect(put.status == 200)
                let start = ContinuousClock.now
                demo.signal(SIGTERM)
                let status = try await demo.status()
                #expect(status == 0)
                #expect(ContinuousClock.now - start < .seconds(20))
            }
        }
    }

    static let namespace = "expected 1 to 64 visible ASCII characters\n"
    static let address = "a URL such as redis://127.0.0.1:6379, rediss://host or unix:///path/to/socket\n"

    @Test(
        arguments: [
            (["REDIS_URL": ""], "REDIS_URL is empty: leave it out, or give " + address),
            (
                ["REDIS_URL": "http://:hunter-two@127.0.0.1"],
                "its scheme is not redis, rediss, unix or redis+unix\n"
            ),
            (["REDIS_URL": "127.0.0.1:6379"], "it has no scheme: expected redis://, rediss:// or unix://\n"),
            (["REDIS_URL": "redis://me:hunter-two@127.0.0.1:x"], "the port is not a number from 1 to 65535\n"),
            (["REDIS_URL": "redis://me:hunter-two@/1"], "it has no host\n"),
            (["REDIS_URL": "redis://hunter-two@127.0.0.1"], "expected user:password@ or :password@\n"),
            (["REDIS_URL": "redis://:hunter-two%@127.0.0.1"], "is not followed by two hexadecimal digits\n"),
            (["REDIS_URL": "redis://:hunter-two@127.0.0.1/hunter-two"], "the database is not a number\n"),
            (
                ["LARDER_NAMESPACE": ""],
                "LARDER_NAMESPACE is empty: leave it out, or give 1 to 64 visible ASCII characters\n"
            ),
            (["LARDER_NAMESPACE": "my cache:"], "LARDER_NAMESPACE=my cache: is invalid: " + namespace),
            (["LARDER_NAMESPACE": "two\nlines"], "LARDER_NAMESPACE=two\u{FFFD}lines is invalid: " + namespace),
            (
                ["LARDER_NAMESPACE": String(repeating: "x", count: 65)],
                "LARDER_NAMESPACE=" + String(repeating: "x", count: 65) + " is invalid: " + namespace
            ),
        ] as [([String: String], String)]
    )
    func `A wrong address or namespace is reported in one line without the password, with the status EX_CONFIG`(
        _ environment: [String: String],
        _ end: String
    ) async throws {
        try await ProgramProcess.run("larder-demo", environment: environment) { demo in
            let status = try await demo.status()
            #expect(status == EX_CONFIG)
            #expect(demo.output.hasPrefix("larder-demo: ") && demo.output.hasSuffix(end))
            #expect(demo.output.count { $0 == "\n" } == 1)
            #expect(!demo.output.contains("hunter-two"))
        }
    }

    private static func withDemo(
        on redis: RedisProcess,
        _ test: @escaping (ProgramProcess, Int) async throws -> Void
    ) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close()
        let environment = [
            "PORT": "\(port)", "REDIS_URL": "redis://127.0.0.1:\(redis.port)", "LARDER_ADMIN_ACCESS": "loopback",
        ]
        try await ProgramProcess.run("larder-demo", environment: environment) { demo in
            try await demo.listens(on: port)
            try await test(demo, port)
        }
    }
}
