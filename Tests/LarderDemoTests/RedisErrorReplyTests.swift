import Foundation
import LarderRedis
import Logging
import RedisClient
import TestHelpers
import Testing

/// Tests of a Redis that answers with errors, under load.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RedisErrorReplyTests {
    /// Options by which refusals count as over after two seconds without one.
    private static var options: RedisStore.Options {
        var options = RedisStore.Options.longTimeouts
        options.retryPause = .milliseconds(200)
        return options
    }

    @Test func `If Redis is out of memory, entries are served and invalidated, and none are added`() async throws {
        try await RedisProcess.run(["--maxmemory", "64mb", "--maxmemory-policy", "noeviction"]) { redis in
            try await withClient(of: redis) { client in
                try await FaultBench.run(on: redis, options: Self.options) { bench in
                    let phases = try await bench.measure(
                        begin: { try await Self.fill(client) },
                        settled: { bench.count("larder_redis_refusals", "code", "OOM") > 0 },
                        end: { try await Self.empty(client) }
                    )
                    bench.expectAllCorrect(phases)
                    #expect(phases.all.allSatisfy { $0.count("DELETE 503") == 0 })
                    #expect(phases.during.quietHits > 0 && phases.after.hits > phases.after.quietHits)
                    try await eventually("the end of the errors is logged") {
                        bench.log.lines(from: .info).last == "info: Redis accepts commands again"
                    }
                    #expect(
                        bench.log.lines(from: .info) == [
                            "info: Redis is connected", "warning: Redis refuses a command",
                            "info: Redis accepts commands again",
                        ]
                    )
                }
            }
        }
    }

    /// Writes until Redis is out of memory, and then lowers the memory limit.
    private static func fill(_ client: RedisClient) async throws {
        let block = RedisCommand.Argument.text(String(repeating: "x", count: 1 << 20))
        for number in 0..<100 {
            let reply = try await client.send(
                RedisCommand("SET", .text("block:\(number)"), block),
                deadline: .seconds(30)
            )
            if case .error(let error) = reply {
                #expect(error.code == "OOM")
                break
            }
        }
        // An invalidation frees memory, which must not suffice for new entries.
        try await client.send(RedisCommand("CONFIG", "SET", "maxmemory", "32mb"), deadline: .seconds(30)).ok()
    }

    private static func empty(_ client: RedisClient) async throws {
        try await client.send(RedisCommand("CONFIG", "SET", "maxmemory", "64mb"), deadline: .seconds(30)).ok()
        _ = try await client.send(.unlink((0..<100).map { "block:\($0)" }), deadline: .seconds(30)).integer()
    }

    @Test func `A replica is not used any more once it has refused a write`() async throws {
        try await RedisProcess.run { redis in
            try await withClient(of: redis) { client in
                try await FaultBench.run(on: redis) { bench in
                    let phases = try await bench.measure(
                        begin: {
                            let replicate = RedisCommand("REPLICAOF", "127.0.0.1", "1")
                            try await client.send(replicate, deadline: .seconds(30)).ok()
                        },
                        settled: { !bench.store.isAvailable },
                        end: {
                            let promote = RedisCommand("REPLICAOF", "NO", "ONE")
                            try await client.send(promote, deadline: .seconds(30)).ok()
                        }
                    )
                    bench.expectAllCorrect(phases)
                    bench.expectLoggedOnce()
                    #expect(phases.during.hits == 0 && phases.during.count("DELETE 503") > 0)
                    #expect(bench.log.count(of: "READONLY") > 0)
                }
            }
        }
    }

    @Test func `A Redis that is loading is not used until it has finished`() async throws {
        // A thousand keys take two milliseconds each to load, and Redis answers its clients after every few of them.
        let arguments = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"]
        try await RedisProcess.run(arguments) { redis in
            try await FaultBench.run(on: redis) { bench in
                try await withClient(of: redis) { client in
                    let value = RedisCommand.Argument.text(String(repeating: "x", count: 200))
                    let keys = (0..<1_000).map { RedisCommand("SET", .text("other:\($0)"), value) }
                    _ = try await client.pipeline(keys, deadline: .seconds(30))
                    try await client.send(RedisCommand("SAVE"), deadline: .seconds(30)).ok()
                }
                let phases = try await bench.measure(
                    begin: {
                        redis.kill()
                        try redis.start()
                    },
                    settled: { bench.log.count(of: "LOADING") > 0 },
                    end: {}
                )
                bench.expectAllCorrect(phases)
                bench.expectLoggedOnce()
            }
        }
    }

    @Test func `Requests are answered correctly if the password of Redis is changed`() async throws {
        let password = "correct-horse"
        try await RedisProcess.run(["--requirepass", password]) { redis in
            try await withClient(of: redis, password: password) { client in
                try await FaultBench.run(on: redis) {
                    $0.credentials = RedisConfiguration.Credentials(password: password)
                } _: { bench in
                    let phases = try await bench.measure(
                        begin: {
                            let change = RedisCommand("CONFIG", "SET", "requirepass", "battery-staple")
                            let cut = RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                            try await client.send(change, deadline: .seconds(30)).ok()
                            _ = try await client.send(cut, deadline: .seconds(30)).integer()
                        },
                        settled: { bench.log.count(of: "WRONGPASS") > 0 && !bench.store.isAvailable },
                        end: {
                            let change = RedisCommand("CONFIG", "SET", "requirepass", .text(password))
                            try await client.send(change, deadline: .seconds(30)).ok()
                        }
                    )
                    bench.expectAllCorrect(phases)
                    bench.expectLoggedOnce(
                        refusal: "warning: Redis refuses the user or the password, so requests are answered without "
                            + "it: correct them in the URL of the server"
                    )
                    #expect(phases.during.hits == 0 && phases.during.count("DELETE 503") > 0)
                    #expect(bench.log.count(of: password) == 0)
                }
            }
        }
    }
}
