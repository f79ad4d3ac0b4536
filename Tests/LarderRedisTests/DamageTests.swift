import HTTPTypes
import Larder
import LarderTestSupport
import MetricsTestKit
import NIOCore
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// Another program writes where the store does: that costs misses, which are counted, and never a wrong response.
@Suite(.timeLimit(.minutes(5))) struct DamageTests {
    private struct Bench {
        let store: RedisStore
        let cli: RedisCLI
        let metrics: TestMetrics

        /// Returns the number of values that could not be read for a reason.
        func unreadable(_ reason: String) -> Int64 {
            metrics.counterTotal(label: "larder_redis_unreadable", dimensions: [("reason", reason)])
        }

        var unreadable: Int64 { metrics.counterTotal(label: "larder_redis_unreadable") }

        /// Checks that the store works: it stores, finds, counts and invalidates a response.
        func mustWork(at target: String = "/a") async throws {
            #expect(await store.put("new", at: target))
            #expect(await store.texts(at: target).first == "new")
            #expect(await store.count() >= 1)
            await store.invalidate([.path(EntryLocation(target).path)])
            #expect(await store.texts(at: target).isEmpty)
            #expect(store.pendingInvalidations == 0)
        }
    }

    private func withBench(_ body: (Bench) async throws -> Void) async throws {
        try await RedisProcess.run { redis in
            let metrics = TestMetrics()
            try await RedisCLI.connect(to: redis) { cli in
                // The store sends nothing by itself if its clock stands still: everything that is counted is caused by
                // the test.
                try await withStores(1, on: redis, metrics: metrics, clock: ManualClock().clock) { stores in
                    #expect(await stores[0].put("v0", at: "/a"))
                    try await body(Bench(store: stores[0], cli: cli, metrics: metrics))
                }
            }
        }
    }

    private static let entry = "larder:3:GET:/a"

    @Test func `A string in the place of an entry is a miss until the next fill`() async throws {
        try await withBench { bench in
            try await bench.cli.send("SET", .text(Self.entry), "a text")
            #expect(await bench.store.texts(at: "/a").isEmpty)
            #expect(bench.unreadable("type") == 1)
            try await bench.mustWork()
        }
    }

    /// The changes that another program makes to the log, and whether each is counted as unreadable.
    static let otherValues: [(commands: [[String]], isCounted: Bool)] = [
        ([["SET", "larder:3:{log}", "a text"]], true),
        ([["DEL", "larder:3:{log}"], ["ZADD", "larder:3:{log}", "7", "foo"]], false),
        ([["DEL", "larder:3:{log}"], ["ZADD", "larder:3:{log}", "7", "~n"]], false),
        ([["ZREM", "larder:3:{log}", "!floor"]], false),
        ([["ZADD", "larder:3:{log}", "0.5", "~n"]], true),
        ([["ZADD", "larder:3:{log}", "9007199254740992", "~n"]], true),
        ([["ZADD", "larder:3:{log}", "inf", "!floor"]], true),
    ]

    @Test(arguments: otherValues) func `Another value in place of the log invalidates everything, and is replaced`(
        _ commands: [[String]],
        _ isCounted: Bool
    ) async throws {
        try await withBench { bench in
            let old = await bench.store.readVersion()
            for command in commands {
                let arguments = command.dropFirst().map { RedisCommand.Argument.text($0) }
                try await bench.cli.send(RedisCommand(command[0], arguments))
            }
            #expect(await bench.store.texts(at: "/a").isEmpty)
            #expect(bench.unreadable("log") == (isCounted ? 1 : 0))
            #expect(await bench.store.readVersion().epoch != old.epoch)
            #expect(await !bench.store.put("late", at: "/a", readVersion: old))
            // The next write begins another log at the latest.
            await bench.store.invalidate([.path("/other")])
            #expect(await bench.store.readVersion().epoch != old.epoch)
            #expect(await bench.store.texts(at: "/a").isEmpty)
            try await bench.mustWork()
        }
    }

    @Test func `An error reply to a look-up is not counted as damage`() async throws {
        try await withBench { bench in
            try await bench.cli.send("ACL", "SETUSER", "default", "-hmget")
            #expect(await bench.store.texts(at: "/a").isEmpty)
            let refusals = bench.metrics.counterTotal(label: "larder_redis_refusals", dimensions: [("code", "NOPERM")])
            #expect(refusals == 1 && bench.unreadable == 0)
            try await bench.cli.send("ACL", "SETUSER", "default", "+hmget")
            #expect(await bench.store.texts(at: "/a") == ["v0"])
        }
    }

    @Test func `The entry of another key is not found`() async throws {
        try await withBench { bench in
            try await bench.cli.send("RENAME", .text(Self.entry), "larder:3:GET:/b")
            #expect(await bench.store.texts(at: "/b").isEmpty)
            #expect(bench.unreadable("key") == 1)
            #expect(await bench.store.texts(at: "/a").isEmpty)
            try await bench.mustWork(at: "/b")
        }
    }

    /// The changes that another program makes to a value, with the reasons by which they are counted.
    static let damages: [(String, @Sendable (ByteBuffer) -> ByteBuffer)] = [
        ("foreign", { _ in ByteBuffer(string: "a text of another program") }),
        ("length", { _ in ByteBuffer() }),
        ("length", { $0.getSlice(at: 0, length: 3) ?? $0 }),
        ("length", { $0.getSlice(at: 0, length: $0.readableBytes - 1) ?? $0 }),
        ("length", { $0.getSlice(at: 0, length: $0.readableBytes / 2) ?? $0 }),
        ("length", { ByteBuffer(bytes: Array($0.readableBytesView) + [0]) }),
        ("version", { $0.changed(at: 4) { $0 + 1 } }),
        ("version", { $0.changed(at: 4) { _ in 0 } }),
        ("checksum", { $0.changed(at: $0.readableBytes - 1) { $0 ^ 1 } }),
        ("checksum", { $0.changed(at: $0.readableBytes / 2) { $0 ^ 0x80 } }),
    ]

    @Test(arguments: damages) func `A damaged value is a miss that is counted`(
        _ reason: String,
        _ damage: @Sendable (ByteBuffer) -> ByteBuffer
    ) async throws {
        try await withBench { bench in
            let value = try #require(try await bench.cli.field("v:", of: Self.entry))
            try await bench.cli.send("HSET", .text(Self.entry), "v:", .bytes(damage(value)))
            #expect(await bench.store.texts(at: "/a").isEmpty)
            #expect(bench.unreadable(reason) == 1 && bench.unreadable == 1)
            try await bench.mustWork()
        }
    }

    @Test func `An entry with a flipped bit is never served`() async throws {
        try await withBench { bench in
            var random = SeededRandom(seed: 7)
            let value = try #require(try await bench.cli.field("v:", of: Self.entry))
            for count in 1...200 {
                let place = Int.random(in: 0..<value.readableBytes, using: &random)
                let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
                let damaged = value.changed(at: place) { $0 ^ bit }
                try await bench.cli.send("HSET", .text(Self.entry), "v:", .bytes(damaged))
                #expect(await bench.store.texts(at: "/a").isEmpty, "bit \(bit) of byte \(place)")
                #expect(bench.unreadable == Int64(count))
            }
            try await bench.cli.send("HSET", .text(Self.entry), "v:", .bytes(value))
            #expect(await bench.store.texts(at: "/a") == ["v0"])
        }
    }

    @Test func `Fields of other programs beside the variants do no harm, and the next fill removes them`() async throws
    {
        try await withBench { bench in
            for field in ["foo", "v:foo:bar", "s:foo:bar", "o:"] {
                try await bench.cli.send("HSET", .text(Self.entry), .text(field), "nonsense")
            }
            try await bench.cli.send("HSET", .text(Self.entry), .bytes(ByteBuffer(bytes: [0xFF])), "bar")
            #expect(await bench.store.texts(at: "/a") == ["v0"])
            #expect(bench.unreadable == 0)
            await bench.store.put("en", at: "/a", language: "en")
            #expect(await bench.store.texts(at: "/a") == ["en", "v0"])
            #expect(try await bench.cli.send("HLEN", .text(Self.entry)) == .integer(5))
            try await bench.mustWork()
        }
    }

    @Test func `A variant that is listed and does not exist is a miss that is counted`() async throws {
        try await withBench { bench in
            for language in ["en", "de"] { await bench.store.put(language, at: "/vary", language: language) }
            let list = try #require(try await bench.cli.field("m", of: "larder:3:GET:/vary"))
            let english = try #require(String(buffer: list).split(separator: "\n").last?.prefix { $0 != " " })
            try await bench.cli.send("HDEL", "larder:3:GET:/vary", .text(String(english)))
            #expect(await bench.store.texts(at: "/vary") == ["de"])
            #expect(bench.unreadable("missing") == 1 && bench.unreadable == 1)
            #expect(await bench.store.remove(EntryLocation("/vary").key, at: WallClock.system.now).removed == 1)
            try await bench.mustWork(at: "/vary")
        }
    }

    /// Texts in the place of a list of variants.
    static let lists: [String] = [
        "", "\n", "3", "3 1", "3 1 2 3", "2 1 2\nv: 0 99999999999999 10 0 -", "3 -1 2", "3 1 2\n", "3 1 2\n\n",
        "3 1 2\nv: 0 1 2 0", "3 1 2\nx: 0 1 2 0 -", "3 1 2\nv: 0 1 2 2 -", "3 1 2\nv: 0 1 -2 0 -",
        "3 1 2\nv: 0 1 2 0 a b", "3 1 2\nv: 0 1 2 0 ,", "3 99999999999999999999 2",
        "3 1 2\nv: 99999999999999999999 1 2 0 -", "3 1 2\nv: 0 99999999999999999999 2 0 -",
        "3 1 2\nv: 0 1 99999999999999999999 0 -", "3 1 2\nv: 0 1 2 0 " + String(repeating: "a,", count: 40) + "a",
        String(repeating: "v", count: 9_000_000),
    ]

    @Test(arguments: lists) func `A list that cannot be read is a miss that is counted`(_ list: String) async throws {
        try await withBench { bench in
            try await bench.cli.send("HSET", .text(Self.entry), "m", .text(list))
            #expect(await bench.store.texts(at: "/a").isEmpty)
            #expect(bench.unreadable("list") == 1 && bench.unreadable == 1)
            #expect(await bench.store.remove(EntryLocation("/a").key, at: WallClock.system.now).removed == 0)
            #expect(await bench.store.count() == 0)
            try await bench.mustWork()
        }
    }

    @Test func `A look-up with a damaged list finds only responses that were stored`() async throws {
        try await withBench { bench in
            var random = SeededRandom(seed: 11)
            for language in ["en", "de"] { await bench.store.put(language, at: "/a", language: language) }
            let list = try #require(try await bench.cli.field("m", of: Self.entry))
            let query = VariantQuery([.acceptLanguage: "de"])
            let (location, now) = (EntryLocation("/a"), WallClock.system.now)
            for step in 0..<400 {
                var bytes = Array(list.readableBytesView)
                for _ in 0...Int.random(in: 0..<3, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes[place] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
                    case 1: bytes.remove(at: place)
                    case 2: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: place)
                    default: bytes.replaceSubrange(place..<min(bytes.count, place + 9), with: Array("99999999".utf8))
                    }
                }
                try await bench.cli.send("HSET", .text(Self.entry), "m", .bytes(ByteBuffer(bytes: bytes)))
                let all = await bench.store.load(location, at: now).entries.map(\.text)
                #expect(Set(all).isSubset(of: ["de", "en", "v0"]), "step \(step)")
                let german = await bench.store.load(location, for: query, at: now).entries.map(\.text)
                #expect(german == ["de"] || german == ["v0"] || german.isEmpty, "step \(step)")
                #expect(await bench.store.count() <= 1)
                if step.isMultiple(of: 20) {
                    await bench.store.discard(
                        .sample("x", at: location, readVersion: LogVersion(epoch: .new(), number: 0), now: now)
                    )
                }
            }
            try await bench.mustWork()
        }
    }
}

extension ByteBuffer {
    fileprivate func changed(at index: Int, _ change: (UInt8) -> UInt8) -> ByteBuffer {
        var copy = ByteBuffer(bytes: readableBytesView)
        copy.change(at: index, change)
        return copy
    }
}
