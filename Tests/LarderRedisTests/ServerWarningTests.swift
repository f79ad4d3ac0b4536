import HTTPCaching
import Larder
import LarderTestSupport
import Logging
import MetricsTestKit
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// The log lines and the metrics about a server on which the invalidation log cannot work as it should.
@Suite(.timeLimit(.minutes(5))) struct ServerWarningTests {
    private func withStore(
        on redis: RedisProcess,
        options: RedisStore.Options = .longTimeouts,
        _ body: (RedisStore, TestMetrics, LogRecord) async throws -> Void
    ) async throws {
        let (metrics, warnings) = (TestMetrics(), LogRecord(from: .warning))
        let store = try RedisStore(
            .longTimeouts(redis.port),
            options: options,
            metrics: metrics,
            logger: warnings.logger,
            clock: ManualClock().clock
        )
        try await withRunning([store]) { try await body(store, metrics, warnings) }
    }

    private func formats(_ metrics: TestMetrics) -> Double? {
        metrics.recorders(label: "larder_redis_other_formats").first?.lastValue
    }

    @Test func `A log of another format is reported on connecting, and when one appears later`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await cli.send("ZADD", "larder:2:{log}", 1, "~n")
                // A log in another namespace does not count.
                try await cli.send("ZADD", "other:1:{log}", 1, "~n")
                try await withStore(on: redis) { store, metrics, warnings in
                    #expect(formats(metrics) == 1)
                    #expect(warnings.lines("invalidation log of another format").count == 1)
                    #expect(warnings.lines("format=3 logs=larder:2:{log}").count == 1)
                    // The store does not warn of it again.
                    await store.delivery.lookForOtherFormats()
                    #expect(warnings.lines("invalidation log of another format").count == 1)
                    // A process of another version starts.
                    try await cli.send("HSET", "larder:log", "epoch", 1)
                    await store.delivery.lookForOtherFormats()
                    #expect(formats(metrics) == 2)
                    #expect(warnings.lines("logs=larder:log, larder:2:{log}").count == 1)
                    try await cli.send("DEL", "larder:log", "larder:2:{log}")
                    await store.delivery.lookForOtherFormats()
                    #expect(formats(metrics) == 0)
                    #expect(warnings.lines("invalidation log of another format").count == 2)
                }
                try await withStore(on: redis) { _, metrics, warnings in
                    #expect(formats(metrics) == 0 && warnings.lines("").isEmpty)
                }
            }
        }
    }

    @Test func `The service looks for other formats every minute`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                let (metrics, time) = (TestMetrics(), ManualClock())
                let store = try RedisStore(
                    .longTimeouts(redis.port),
                    options: .longTimeouts,
                    metrics: metrics,
                    logger: .silent,
                    clock: time.clock
                )
                try await withRunning([store]) {
                    try await eventually("the store has looked once") { formats(metrics) == 0 }
                    try await cli.send("ZADD", "larder:2:{log}", 1, "~n")
                    try await eventually("it is found") {
                        time.advance(by: .milliseconds(100))
                        return formats(metrics) == 1
                    }
                    // The first look of the service may come after that on connecting. The next one takes a minute.
                    try await cli.send("DEL", "larder:2:{log}")
                    let start = time.now
                    try await eventually("it is missed") {
                        time.advance(by: .milliseconds(100))
                        return formats(metrics) == 0
                    }
                    #expect(time.now.duration(since: start) >= .seconds(50))
                }
            }
        }
    }

    static let sizes: [(String, ByteCount, Int)] = [
        ("0", .mebibytes(16), 0), ("64mb", .mebibytes(16), 0), ("64mb", .mebibytes(17), 1), ("16mb", .mebibytes(16), 1),
    ]

    @Test(arguments: sizes)
    func `The store warns once of an invalidation log that may take a quarter of the memory`(
        _ memory: String,
        _ limit: ByteCount,
        _ count: Int
    ) async throws {
        try await RedisProcess.run(["--maxmemory", memory]) { redis in
            var options = RedisStore.Options.longTimeouts
            options.logLimit = limit
            try await withStore(on: redis, options: options) { store, _, warnings in
                try await eventually("every connection is up") { store.connectionCount == 2 }
                #expect(warnings.lines("more than a quarter of the memory of Redis").count == count)
            }
        }
    }

    @Test func `A Redis that does not report its memory is used`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await cli.send("ACL", "SETUSER", "default", "-info")
                try await withStore(on: redis) { store, _, warnings in
                    #expect(await store.put("v", at: "/a"))
                    #expect(warnings.lines("").isEmpty)
                }
            }
        }
    }

    @Test func `Without a connection nothing is sent, however many invalidations wait`() async throws {
        let metrics = TestMetrics()
        var options = RedisStore.Options()
        options.invalidationTimeout = .milliseconds(50)
        // No server listens on this port.
        let store = try RedisStore("redis://127.0.0.1:1", options: options, metrics: metrics, logger: .silent)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await store.run() }
            for id in 0..<100 { #expect(await store.invalidate([.tag(CacheTag("t\(id)"))]) == .pending) }
            #expect(store.pendingInvalidations == 100)
            #expect(metrics.counterTotal(label: "larder_redis_failures", dimensions: [("reason", "unavailable")]) == 0)
            group.cancelAll()
        }
    }
}
