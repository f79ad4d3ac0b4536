import Foundation
import HTTPTypes
import HummingbirdTesting
import Larder
import LarderRedis
import Logging
import NIOCore
import RedisClient
import TestHelpers
import Testing

/// Tests of a Redis that does not answer, under load: every request is answered as it would be without a cache, no
/// response is older than the last acknowledged write, and the log reports the fault once.
@Suite(.serialized, .timeLimit(.minutes(5))) struct AbsenceTests {
    /// Options with a timeout of 500 ms: long enough for a busy machine, short enough for a test.
    private static var shortTimeouts: RedisStore.Options {
        var options = RedisStore.Options()
        options.timeout = .milliseconds(500)
        options.timeoutBounds = .milliseconds(500) ... .milliseconds(500)
        return options
    }

    @Test func `Requests are answered correctly if Redis is killed and started again empty`() async throws {
        try await RedisProcess.run { redis in
            try await FaultBench.run(on: redis) { bench in
                let phases = try await bench.measure(
                    begin: { redis.kill() },
                    settled: { !bench.store.isAvailable },
                    end: { try redis.start() }
                )
                bench.expectAllCorrect(phases)
                bench.expectLoggedOnce()
                #expect(phases.during.hits == 0 && phases.during.count("DELETE 503") > 0)
                #expect(phases.before.count("DELETE 503") <= 4)
            }
        }
    }

    @Test func `Requests are answered correctly if Redis is killed and restarts from an old snapshot`() async throws {
        try await RedisProcess.run { redis in
            try await FaultBench.run(on: redis) { bench in
                await bench.load.hits(50)
                try await withClient(of: redis) { try await $0.send(RedisCommand("SAVE"), deadline: .seconds(30)).ok() }
                let phases = try await bench.measure(
                    begin: { redis.kill() },
                    settled: { !bench.store.isAvailable },
                    end: { try redis.start() }
                )
                bench.expectAllCorrect(phases)
                bench.expectLoggedOnce()
                #expect(phases.during.hits == 0)
            }
        }
    }

    @Test func `Requests are answered correctly if Redis restarts empty before it is noticed`() async throws {
        try await RedisProcess.run { redis in
            try await FaultBench.run(on: redis) { bench in
                let phases = try await bench.measure(
                    begin: {
                        redis.kill()
                        try redis.start()
                    },
                    end: {}
                )
                bench.expectAllCorrect(phases)
                #expect(bench.log.lines(from: .warning).count <= 1)
            }
        }
    }

    @Test func `Requests are answered correctly if Redis is flushed while it runs`() async throws {
        try await RedisProcess.run { redis in
            try await FaultBench.run(on: redis) { bench in
                let phases = try await bench.measure(
                    begin: {
                        try await withClient(of: redis) {
                            try await $0.send(RedisCommand("FLUSHALL"), deadline: .seconds(30)).ok()
                        }
                    },
                    end: {}
                )
                bench.expectAllCorrect(phases)
                #expect(phases.all.allSatisfy { $0.count("DELETE 503") == 0 })
                #expect(bench.log.lines(from: .info) == ["info: Redis is connected"])
            }
        }
    }

    @Test(arguments: [Duration.seconds(60), .milliseconds(300)])
    func `Requests are answered correctly if Redis hangs, whatever the silence limit`(
        _ silenceLimit: Duration
    ) async throws {
        try await RedisProcess.run { redis in
            try await FaultBench.run(on: redis, options: Self.shortTimeouts) {
                $0.silenceLimit = silenceLimit
                $0.connectTimeout = .seconds(1)
            } _: { bench in
                let phases = try await bench.measure(
                    begin: { redis.signal(SIGSTOP) },
                    settled: { !bench.store.isAvailable },
                    end: {
                        if silenceLimit < .seconds(1) {
                            try await eventually("the connections are given up") {
                                bench.log.count(of: "the server stopped answering") >= 2
                            }
                        }
                        redis.signal(SIGCONT)
                    }
                )
                bench.expectAllCorrect(phases)
                bench.expectLoggedOnce()
                #expect(phases.during.hits == 0 && phases.during.count("DELETE 503") > 0)
                #expect(phases.during.median < .seconds(1))
            }
        }
    }

    @Test func `Requests are answered correctly if Redis is too slow to answer in time`() async throws {
        try await RedisProcess.run { redis in
            try await SlowProxy.run(to: redis.port) { proxy in
                try await FaultBench.run(on: redis, options: Self.shortTimeouts) {
                    $0.endpoint = .host("127.0.0.1", port: proxy.port)
                } _: { bench in
                    let phases = try await bench.measure(
                        begin: { proxy.delay(by: .seconds(2)) },
                        settled: { !bench.store.isAvailable },
                        end: { proxy.delay(by: .zero) }
                    )
                    bench.expectAllCorrect(phases)
                    bench.expectLoggedOnce()
                    #expect(phases.during.hits == 0 && phases.during.median < .seconds(1))
                    // A breaker that stays closed does not refuse any request; the number that it refuses depends on
                    // the machine. Once an invalidation waits, reads do not ask Redis any more.
                    #expect(bench.count("larder_redis_failures", "reason", "breaker") > 0)
                }
            }
        }
    }

    @Test func `The store notices that Redis answers again although no request is made`() async throws {
        try await RedisProcess.run { redis in
            let store = try RedisStore(.longTimeouts(redis.port), options: Self.shortTimeouts, logger: .silent)
            try await serve(ResponseCache(store: store)) { client in
                try await eventually("the store is connected") { store.isAvailable }
                redis.signal(SIGSTOP)
                while store.isAvailable { _ = try await client.send(.get, "/api/users/1") }
                redis.signal(SIGCONT)
                try await eventually("the store is available again") { store.isAvailable }
            }
        }
    }

    @Test func `A Redis that cannot be reached at the start is used once it can`() async throws {
        try await RedisProcess.run { redis in
            redis.kill()
            try await FaultBench.run(on: redis, isConnected: false) { bench in
                await bench.load.answers(300)
                let away = bench.load.nextPhase()[0]
                #expect(away.wrong.isEmpty && away.hits == 0 && away.count("DELETE 503") > 0)
                #expect(away.count("GET 200") + away.count("PUT 200") + away.count("DELETE 503") == away.requests)
                try redis.start()
                await bench.load.hits(100)
                let phases = bench.load.nextPhase()
                #expect(phases[1].wrong.isEmpty)
                let said = bench.log.lines(from: .info).filter { !$0.contains("nvalidations") }
                #expect(
                    said == [
                        "warning: Redis does not answer: requests are answered without it", "info: Redis answers again",
                    ]
                )
            }
        }
    }
}
