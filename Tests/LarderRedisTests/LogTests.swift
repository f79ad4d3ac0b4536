import HTTPTypes
import LarderTestSupport
import NIOCore
import RedisClient
import TestHelpers
import Testing

@testable import Larder
@testable import LarderRedis

/// The invalidation log in Redis: its list, its tables, and the validity of entries older than the list.
@Suite(.timeLimit(.minutes(5))) struct LogTests {
    private func withTwoStores(
        listLimit: Int = 4,
        logLimit: ByteCount = .mebibytes(1),
        _ body: (RedisStore, RedisStore, RedisCLI) async throws -> Void
    ) async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                var options = RedisStore.Options.longTimeouts
                options.logLimit = logLimit
                var limits = StoreLimits()
                limits.versionLimit = listLimit
                try await withStores(2, on: redis, limits, options: options) { stores in
                    try await body(stores[0], stores[1], cli)
                }
            }
        }
    }

    private func invalidate(_ range: Range<Int>, by store: RedisStore) async {
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 100) {
            let ids = first..<min(first + 100, range.upperBound)
            #expect(await store.invalidate(ids.map { .path(CachePath("/other/\($0)")) }) == .acknowledged)
        }
    }

    @Test func `A full list forgets no invalidation and makes nothing else invalid`() async throws {
        try await withTwoStores { store, peer, _ in
            let old = await store.readVersion()
            for id in 0..<40 { #expect(await store.put("v0", at: "/page/\(id)", tags: ["t", CacheTag("t\(id)")])) }
            await peer.invalidate([.path("/page/1"), .tag("t2")])
            await peer.invalidate([.prefix("/page/3")])
            await peer.invalidate([.key(try #require(CacheKey("GET:/page/4")))])
            await invalidate(0..<200, by: peer)
            for id in 0..<40 {
                let expected = (1...4).contains(id) ? [] : ["v0"]
                #expect(await store.texts(at: "/page/\(id)") == expected, "/page/\(id)")
                #expect(await peer.texts(at: "/page/\(id)") == expected, "/page/\(id)")
            }
            // These fills began before the invalidations: those that were invalidated are not stored, the others are.
            for id in 0..<10 {
                let isOvertaken = (1...4).contains(id)
                #expect(
                    await store.put("late", at: "/page/\(id)", readVersion: old, tags: [CacheTag("t\(id)")])
                        != isOvertaken
                )
                let validity = await peer.validity(
                    of:
                        old,
                    scopes: EntryLocation("/page/\(id)").scopes(with: [CacheTag("t\(id)")])
                )
                #expect(validity.isValid != isOvertaken, "/page/\(id)")
            }
            #expect(await !store.put("late", at: "/other/0", readVersion: old))
            #expect(await store.put("new", at: "/other/0"))
            #expect(await peer.texts(at: "/other/0") == ["new"])
        }
    }

    /// Invalidates the scopes of POSTs to a gateway whose responses name two more paths (`Location`,
    /// `Content-Location`).
    private func post(_ range: Range<Int>, by store: RedisStore) async {
        let request = HTTPRequest(method: .post, scheme: "http", authority: "example.org", path: "/")
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 33) {
            let scopes = (first..<min(first + 33, range.upperBound)).flatMap { id in
                ["/other", "/there/other", "/here/other"].flatMap {
                    CachePolicy.gateway.keys.scopes(of: "\($0)/\(id)", for: request)
                }
            }
            #expect(await store.invalidate(scopes) == .acknowledged)
        }
    }

    @Test func `A flood of POSTs to a gateway leaves 95 percent of the stored responses valid`() async throws {
        // The test is 100,000 POSTs that name three paths each and a log of the default size, at a hundredth of both.
        try await withTwoStores(listLimit: 100, logLimit: .kibibytes(164)) { store, peer, cli async throws in
            let pages = (0..<500).map { "http://example.org/page/\($0)" }
            let odd = (0..<100).map { "http://example.org/\($0);v\\b%3Fc/z" }
            for target in pages + odd { await store.put("v0", at: target, tags: ["t"]) }
            #expect(EntryLocation(odd[0]).scopes().count { $0.member.hasPrefix("h") } == 8)
            await post(0..<1_000, by: peer)
            var valid = 0
            for target in pages where await peer.texts(at: target) == ["v0"] { valid += 1 }
            #expect(valid >= 480 && valid < 500, "\(valid) of 500")
            var left = 0
            for target in odd where await peer.texts(at: target) == ["v0"] { left += 1 }
            #expect(left >= 75, "\(left) of 100")
            var bytes: Int64 = 0
            for key in ["larder:3:{log}"] + ["k", "p", "d", "t"].map({ "larder:3:{log}:" + $0 }) {
                let usage = try await cli.send("MEMORY", "USAGE", .text(key), "SAMPLES", 0)
                if case .integer(let number) = usage { bytes += number }
            }
            #expect(bytes > 100_000 && bytes <= 164 << 10)
        }
    }

    @Test func `The longest names leave the log within its limit`() async throws {
        try await withTwoStores(listLimit: 300) { store, _, cli async throws in
            let end = String(repeating: "x", count: 900)
            for first in stride(from: 0, to: 500, by: 100) {
                await store.invalidate((first..<first + 100).map { .path(CachePath("/long/\(end)/\($0)")) })
            }
            let usage = try await cli.send("MEMORY", "USAGE", "larder:3:{log}", "SAMPLES", 0).integer()
            #expect(usage < 300 * Int64(LogSize.listedCost))
        }
    }

    @Test func `Invalidating everything empties the list, and leaves the tables and the epoch`() async throws {
        try await withTwoStores { store, peer, cli async throws in
            #expect(await store.put("v0", at: "/page"))
            let old = await store.readVersion()
            await invalidate(0..<50, by: peer)
            let moved = try await cli.send("ZSCORE", "larder:3:{log}", "!moved:p")
            await peer.invalidate([.everything, .path("/other")])
            #expect(try await cli.send("ZCARD", "larder:3:{log}").integer() == 11)
            // A look-up that has read the list before may still have to read the table.
            #expect(try await cli.send("EXISTS", "larder:3:{log}:p").integer() == 1)
            #expect(try await cli.send("ZSCORE", "larder:3:{log}", "!moved:p") == moved && moved != .double(0))
            #expect(await store.texts(at: "/page").isEmpty)
            #expect(await !store.put("late", at: "/page", readVersion: old))
            #expect(await store.put("v1", at: "/page"))
            await invalidate(0..<50, by: store)
            #expect(await peer.texts(at: "/page") == ["v1"])
            #expect(await peer.readVersion().epoch == old.epoch)
        }
    }

    @Test(arguments: ["lost", "of another epoch", "of another type", "cut off"])
    func `A log with a damaged table is replaced by one with a new epoch`(_ damage: String) async throws {
        try await withTwoStores { store, peer, cli async throws in
            #expect(await store.put("v0", at: "/page"))
            await peer.invalidate([.path("/page")])
            await invalidate(0..<50, by: peer)
            #expect(await store.put("v0", at: "/new"))
            let old = await store.readVersion()
            let table: RedisCommand.Argument = "larder:3:{log}:p"
            switch damage {
            case "lost": try await cli.send("DEL", table)
            case "of another epoch": try await cli.send("BITFIELD", table, "SET", "u63", 64, 7)
            case "of another type":
                try await cli.send("DEL", table)
                try await cli.send("LPUSH", table, "x")
            default: try await cli.send("SET", table, "1234")
            }
            // The damage is found by the first command that needs the table: here a look-up, or else the next
            // invalidation.
            #expect(await store.texts(at: "/page").isEmpty)
            await peer.invalidate([.tag("any")])
            #expect(await store.readVersion().epoch != old.epoch)
            #expect(await store.texts(at: "/new").isEmpty)
            #expect(await store.put("v1", at: "/page"))
            #expect(await peer.texts(at: "/page") == ["v1"])
        }
    }

    @Test func `A fill is not shared if the table that could invalidate it is lost`() async throws {
        try await withTwoStores { store, peer, cli async throws in
            let old = await store.readVersion()
            await peer.invalidate([.path("/page")])
            await invalidate(0..<50, by: peer)
            try await cli.send("DEL", "larder:3:{log}:p")
            #expect(await !store.put("v0", at: "/page", readVersion: old))
            #expect(await !store.validity(of: old, scopes: [.path("/page")]).isValid)
        }
    }

    @Test func `A process with another limit uses the log that it finds`() async throws {
        try await RedisProcess.run { redis in
            var small = RedisStore.Options.longTimeouts
            small.logLimit = .kibibytes(64)
            var limits = StoreLimits()
            limits.versionLimit = 4
            try await withStores(1, on: redis, limits, options: small) { first in
                #expect(await first[0].put("v0", at: "/a"))
                #expect(await first[0].put("v0", at: "/b"))
                await first[0].invalidate([.path("/a")])
                await invalidate(0..<20, by: first[0])
                try await withStores(1, on: redis, limits) { second in
                    #expect(await second[0].texts(at: "/a").isEmpty)
                    #expect(await second[0].texts(at: "/b") == ["v0"])
                    await invalidate(20..<60, by: second[0])
                    #expect(await first[0].texts(at: "/a").isEmpty)
                    #expect(await first[0].texts(at: "/b") == ["v0"])
                }
            }
        }
    }

    @Test func `A version stays in the list and is not acknowledged if its table cannot be created`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli async throws in
                var options = RedisStore.Options.longTimeouts
                options.invalidationTimeout = .milliseconds(500)
                var limits = StoreLimits()
                limits.versionLimit = 4
                try await withStores(1, on: redis, limits, options: options) { writers in
                    try await withStores(1, on: redis, limits, options: options) { readers in
                        // The path does not name the key, so that the entry is not removed at once.
                        #expect(await readers[0].put("v0", at: "/page?x=1"))
                        #expect(await writers[0].invalidate([.path("/page")]) == .acknowledged)
                        // The table has 10 MB.
                        try await cli.send("CONFIG", "SET", "proto-max-bulk-len", "1mb")
                        let others = (0..<10).map { InvalidationScope.path(CachePath("/other/\($0)")) }
                        #expect(await writers[0].invalidate(others) == .pending)
                        #expect(await readers[0].texts(at: "/page?x=1").isEmpty)
                        #expect(try await cli.send("EXISTS", "larder:3:{log}:p").integer() == 0)
                        try await cli.send("CONFIG", "SET", "proto-max-bulk-len", "512mb")
                        try await eventually("it is delivered") { writers[0].pendingInvalidations == 0 }
                        #expect(try await cli.send("EXISTS", "larder:3:{log}:p").integer() == 1)
                        #expect(await readers[0].texts(at: "/page?x=1").isEmpty)
                        #expect(await writers[0].texts(at: "/page?x=1").isEmpty)
                    }
                }
            }
        }
    }

    @Test func `The validity of a fill without a log is unknown, and Redis reports no error`() async throws {
        try await withTwoStores { store, _, cli async throws in
            await store.put("v0", at: "/first")
            let readVersion = await store.readVersion()
            for damage in ["~n", "!floor", "!moved:p", "~cells", "~epoch1"] {
                try await cli.send("CONFIG", "RESETSTAT")
                try await cli.send("ZREM", "larder:3:{log}", .text(damage))
                let now = WallClock.system.now
                let entry = CacheEntry.sample("v1", at: EntryLocation("/a"), readVersion: readVersion, now: now)
                #expect(await !store.save(entry, at: now).isKnown, "without \(damage)")
                try await cli.send("DEL", "larder:3:{log}")
                #expect(await !store.save(entry, at: now).isKnown, "without a log")
                let errors = try await cli.send("INFO", "errorstats").text()
                #expect(!errors.contains("errorstat_ERR"), "\(errors)")
                _ = await store.readVersion()
            }
        }
    }

    @Test func `An invalidation after the last version of an epoch begins another epoch`() async throws {
        try await withTwoStores { store, peer, cli async throws in
            #expect(await store.put("v0", at: "/a"))
            let old = await store.readVersion()
            try await cli.send("ZADD", "larder:3:{log}", 4_294_967_295, "~n")
            await peer.invalidate([.path("/b")])
            #expect(await peer.readVersion().epoch != old.epoch)
            #expect(await store.texts(at: "/a").isEmpty)
        }
    }
}
