import Larder
import LarderTestSupport
import MetricsTestKit
import NIOCore
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// A Redis with less memory than the responses need, under each policy for eviction.
@Suite(.timeLimit(.minutes(5))) struct MemoryPressureTests {
    private static let memory = 8 * 1024 * 1024
    private static let body = String(repeating: "x", count: 90_000)

    private struct Bench {
        let store: RedisStore
        let cli: RedisCLI
        let metrics: TestMetrics

        /// The number of commands that Redis refused for lack of memory.
        var refused: Int64 {
            metrics.counterTotal(label: "larder_redis_refusals", dimensions: [("code", "OOM")])
        }

        /// Returns the number of bytes of memory in use.
        func used() async throws -> Int {
            let lines = try await cli.send("INFO", "memory").text().split(whereSeparator: \.isNewline)
            let line = lines.first { $0.hasPrefix("used_memory:") }
            return try #require(line.flatMap { Int($0.dropFirst("used_memory:".count)) })
        }
    }

    private func withBench(
        _ policy: String,
        listLimit: Int? = nil,
        _ body: (Bench) async throws -> Void
    ) async throws {
        // Keys that were used in the same second look equally old to Redis: with few samples it would evict any of a
        // flood.
        let arguments = [
            "--maxmemory", "\(Self.memory)", "--maxmemory-policy", policy, "--maxmemory-samples", "64",
        ]
        try await RedisProcess.run(arguments) { redis in
            let metrics = TestMetrics()
            try await RedisCLI.connect(to: redis) { cli in
                var limits = StoreLimits()
                limits.entryLimit = .kibibytes(256)
                var options = RedisStore.Options.longTimeouts
                if let listLimit {
                    limits.versionLimit = listLimit
                    options.logLimit = .kibibytes(256)
                }
                try await withStores(1, on: redis, limits, options: options, metrics: metrics) { stores in
                    try await body(Bench(store: stores[0], cli: cli, metrics: metrics))
                }
            }
        }
    }

    /// Checks that every entry has a list, all of its variants and a time to live. Returns the number of entries.
    private func mustBeWhole(_ bench: Bench) async throws -> Int {
        let keys = try await bench.cli.send("KEYS", "larder:3:GET:*").elements().map { try $0.text() }
        for key in keys {
            let fields = try await bench.cli.send("HLEN", .text(key)).integer()
            let left = try await bench.cli.milliseconds(left: key)
            // Redis continues to evict as long as its memory is full.
            #expect(left == -2 || left > 0 && fields == 3, "\(key): \(fields) fields, \(left) ms")
        }
        return keys.count
    }

    @Test(arguments: ["volatile-lru", "volatile-ttl", "allkeys-lru"])
    func `A flood of distinct keys leaves the memory to entries, and no command fails`(_ policy: String) async throws {
        try await withBench(policy) { bench in
            let before = try await bench.used()
            await bench.store.invalidate((0..<1_000).map { .tag("t\($0)") })
            let log = try await bench.used() - before
            // A flood that fills the memory within a second may evict the log, if any key may be evicted.
            let isLogSafe = policy != "allkeys-lru"
            var hits = 0
            for id in 0..<250 {
                let isValid = await bench.store.put(Self.body, at: "/\(id)", freshFor: .seconds(600))
                #expect(isValid || !isLogSafe)
                if id.isMultiple(of: 5) {
                    // A response that is looked up often is found, except until the next fill after Redis has evicted
                    // it.
                    if await bench.store.texts(at: "/hot") == ["hot"] {
                        hits += 1
                    } else {
                        await bench.store.put("hot", at: "/hot", freshFor: .seconds(600))
                    }
                    #expect(await bench.store.invalidate([.tag("t\(id)")]) == .acknowledged)
                }
            }
            #expect(hits >= 30, "\(hits) of 50")
            #expect(bench.refused == 0)
            let count = try await mustBeWhole(bench)
            if isLogSafe {
                #expect(await bench.store.texts(at: "/249") == [Self.body])
                let counted = await bench.store.count()
                #expect((count - 5...count).contains(counted), "\(counted) of \(count)")
            }
            let (room, taken) = (Self.memory - before - log, try await bench.used() - before - log)
            #expect(taken >= room * 8 / 10, "\(count) entries take \(taken) of \(room) bytes")
        }
    }

    @Test func `A server that evicts nothing refuses only fills, and takes them again when entries expire`()
        async throws
    {
        try await withBench("noeviction") { bench in
            #expect(await bench.store.put("hot", at: "/hot", freshFor: .seconds(600)))
            #expect(await bench.store.put("old", at: "/old", freshFor: .seconds(600)))
            var stored = 0
            for id in 0..<200 {
                // A response that Redis refuses is valid all the same, so that it can be shared.
                #expect(await bench.store.put(Self.body, at: "/\(id)", freshFor: .seconds(600)))
                guard bench.refused == 0 else { break }
                stored += 1
            }
            #expect(stored * Self.body.utf8.count >= Self.memory * 6 / 10)
            let refused = bench.refused
            #expect(refused > 0)
            #expect(await bench.store.texts(at: "/hot") == ["hot"])
            #expect(await bench.store.invalidate([.tag("t"), .path("/0"), .prefix("/x")]) == .acknowledged)
            // The response that a refused fill would have replaced is no longer the newest.
            try await bench.cli.send("CONFIG", "SET", "maxmemory", "1")
            #expect(await bench.store.put("new", at: "/old"))
            #expect(await bench.store.texts(at: "/old").isEmpty)
            #expect(await bench.store.texts(at: "/hot") == ["hot"])
            #expect(await bench.store.remove(EntryLocation("/1").key, at: WallClock.system.now).removed == 1)
            #expect(await bench.store.invalidate([.everything]) == .acknowledged)
            #expect(await bench.store.count() == 0)
            _ = try await mustBeWhole(bench)
            let before = bench.refused
            try await bench.cli.send("CONFIG", "SET", "maxmemory", .integer(Int64(Self.memory)))
            try await bench.cli.send("EVAL", Self.expire, 0)
            try await eventually("fills are taken again") {
                await bench.store.put("again", at: "/again")
                return await bench.store.texts(at: "/again") == ["again"]
            }
            #expect(bench.refused >= before)
        }
    }

    @Test(arguments: ["volatile-lru", "noeviction", "allkeys-lru"])
    func `Versions in tables survive memory pressure, or everything is invalid`(
        _ policy: String
    ) async throws {
        try await withBench(policy, listLimit: 100) { bench in
            await bench.store.put("old", at: "/old", freshFor: .seconds(600), tags: ["t0"])
            let first = await bench.store.readVersion()
            for id in 0..<500 { #expect(await bench.store.invalidate([.tag("t\(id)")]) == .acknowledged) }
            for id in 0..<200 {
                await bench.store.put(Self.body, at: "/\(id)", freshFor: .seconds(600))
                #expect(await bench.store.invalidate([.path(CachePath("/written/\(id)"))]) == .acknowledged)
                // A response that was invalidated long ago stays invalid, whatever Redis evicts.
                if id.isMultiple(of: 20) { #expect(await bench.store.texts(at: "/old").isEmpty) }
            }
            let tables = try await bench.cli.send("EXISTS", "larder:3:{log}:t", "larder:3:{log}:p").integer()
            let validity = await bench.store.validity(of: first, scopes: [.tag("t0")])
            #expect(!validity.isValid)
            if policy != "allkeys-lru" {
                #expect(tables == 2)
                #expect(await bench.store.readVersion().epoch == first.epoch)
            }
            // A response that is stored now is found.
            if policy == "volatile-lru" {
                #expect(await bench.store.put("new", at: "/new", freshFor: .seconds(600), tags: ["t0"]))
                #expect(await bench.store.texts(at: "/new") == ["new"])
            }
        }
    }

    /// A script that lets every entry expire at once, as if its time had passed.
    private static let expire: RedisCommand.Argument = """
        for _, key in ipairs(redis.call('KEYS', 'larder:3:GET:*')) do redis.call('PEXPIRE', key, 1) end
        """
}
