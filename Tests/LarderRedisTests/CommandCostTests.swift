import Larder
import LarderTestSupport
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// The cost of commands does not depend on how much is stored.
@Suite(.timeLimit(.minutes(5))) struct CommandCostTests {
    /// Returns the processor time that Redis spent on each operation of a store. On a busy machine the time of each
    /// round can be longer, so the least of several rounds is compared.
    private func cost(of store: RedisStore, _ cli: RedisCLI) async throws -> [String: Double] {
        let operations: [(String, @Sendable () async throws -> Void)] = [
            ("key", { await store.invalidate([.key(EntryLocation("/some/1").key)]) }),
            ("path", { await store.invalidate([.path("/some/2")]) }),
            ("prefix", { await store.invalidate([.prefix("/some")]) }),
            ("tag", { await store.invalidate([.tag("some")]) }),
            ("everything", { await store.invalidate([.everything]) }),
            ("remove", { _ = await store.remove(EntryLocation("/some/3").key, at: WallClock.system.now) }),
            ("fill", { await store.put("v0", at: "/some/hit", tags: ["late"]) }),
            ("hit", { _ = await store.texts(at: "/some/hit") }),
        ]
        var least: [String: Double] = [:]
        for (name, operation) in operations {
            for _ in 0..<5 {
                try await cli.send("CONFIG", "RESETSTAT")
                for _ in 0..<10 { try await operation() }
                let spent = try await microseconds(cli)
                least[name] = min(spent, least[name] ?? .infinity)
            }
        }
        return least
    }

    /// Returns the time of all commands since the last reset in microseconds, except the commands that ask for it.
    private func microseconds(_ cli: RedisCLI) async throws -> Double {
        let text = try await cli.send("INFO", "commandstats").text()
        var sum = 0.0
        for line in text.split(whereSeparator: \.isNewline) where line.contains("usec=") {
            // The time of a script includes that of the commands it calls.
            let name = line.prefix { $0 != ":" }.dropFirst("cmdstat_".count)
            guard ["evalsha", "eval", "hmget", "zmscore"].contains(name) else { continue }
            let usec = line.split(separator: ",").first { $0.hasPrefix("usec=") }
            sum += usec.flatMap { Double($0.dropFirst("usec=".count)) } ?? 0
        }
        return sum
    }

    /// A bound in microseconds would fail on a busy machine. What counts is that a hundred times as many entries and
    /// invalidations do not cost a hundred times as much, nor ten times.
    @Test func `The cost of a command does not grow with the number of entries and invalidations`() async throws {
        try await RedisProcess.run { redis in
            var limits = StoreLimits()
            limits.versionLimit = 5_000
            let still = ManualClock().clock
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(1, on: redis, limits, clock: still) { stores in
                    let store = stores[0]
                    await store.fill(0..<200, below: "/some", number: (1 << 53) - 1)
                    for id in 0..<50 { await store.invalidate([.tag("t\(id)")]) }
                    let few = try await cost(of: store, cli)
                    await store.fill(200..<20_000, below: "/some", number: (1 << 53) - 1)
                    for first in stride(from: 0, to: 6_000, by: 100) {
                        let scopes = (first..<first + 100).map { InvalidationScope.tag("t\($0)") }
                        await store.invalidate(scopes)
                    }
                    // The first two hundred entries were invalidated with everything else that was measured.
                    #expect(await store.count() >= 19_790)
                    let versions = try await cli.send("ZCARD", "larder:3:{log}").integer()
                    #expect(versions == 5_011)
                    let many = try await cost(of: store, cli)
                    for (name, cost) in many {
                        let before = try #require(few[name])
                        #expect(before > 0 && cost < 10 * before, "\(name): \(before) µs, then \(cost) µs")
                    }
                }
            }
        }
    }

    /// Returns the number of entries that one step of a count looks at, of those at `/0`, `/1`, ….
    private func step(over count: Int, _ cli: RedisCLI) async throws -> Int {
        let keys = ["larder:3:{log}"] + (0..<count).map { "larder:3:GET:/\($0)" }
        let arguments: [RedisCommand.Argument] = [.integer(WallClock.system.now.millisecondsSinceEpoch), 2_000, 1]
        return try await cli.send(.run(Scripts.countValid, keys: keys, arguments: arguments)).elements().count
    }

    @Test func `A step of a count reads few lists of many variants, even if all variants are invalid`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(1, on: redis, clock: ManualClock().clock) { stores in
                    let store = stores[0]
                    let readVersion = await store.readVersion()
                    for id in 0..<40 {
                        for number in 0..<64 {
                            await store.put("v", at: "/\(id)", readVersion: readVersion, language: "l\(number)")
                        }
                    }
                    let valid = try await step(over: 40, cli)
                    #expect((20...30).contains(valid), "\(valid)")
                    await store.invalidate([.everything])
                    let looked = try await step(over: 40, cli)
                    #expect((20...31).contains(looked), "\(looked)")
                    #expect(await store.count() == 0)
                }
            }
        }
    }

    @Test func `A step of a count reads few versions from tables, and one entry has its limit`() async throws {
        try await RedisProcess.run { redis in
            var limits = StoreLimits()
            limits.versionLimit = 10
            limits.entryLimit = .mebibytes(1)
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(1, on: redis, limits, clock: ManualClock().clock) { stores in
                    let store = stores[0]
                    let tags = (0..<100).map { CacheTag("t\($0)") }
                    for id in 0..<30 { await store.put("v", at: "/\(id)", tags: tags) }
                    let listed = try await step(over: 30, cli)
                    #expect((15...20).contains(listed), "\(listed)")
                    for id in 0..<50 { await store.invalidate([.tag(CacheTag("other\(id)"))]) }
                    let moved = try await step(over: 30, cli)
                    #expect((1...4).contains(moved), "\(moved)")
                    #expect(await store.count() == 30)
                    // One key has more than the work of ten steps: variants that are left by then are not counted.
                    let many = (0..<900).map { CacheTag("m\($0)") }
                    for language in 0..<20 {
                        await store.put("v", at: "/large", tags: many, language: "l\(language)")
                    }
                    for id in 0..<50 { await store.invalidate([.tag(CacheTag("more\(id)"))]) }
                    let removed = await store.remove(EntryLocation("/large").key, at: WallClock.system.now).removed
                    #expect((10..<20).contains(removed ?? 0), "\(removed ?? 0)")
                }
            }
        }
    }
}
