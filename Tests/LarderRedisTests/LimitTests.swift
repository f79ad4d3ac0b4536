import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// The limits of what is stored in Redis, to the byte, the millisecond and the tag.
@Suite(.timeLimit(.minutes(5))) struct LimitTests {
    @Test(arguments: [(0, true), (-1, false)]) func `An entry is stored in Redis up to exactly the limit`(
        _ difference: Int,
        _ isStored: Bool
    ) async throws {
        let (location, now) = (EntryLocation("/a"), WallClock.system.now)
        func entry(_ readVersion: LogVersion) -> CacheEntry {
            .sample("a text", at: location, readVersion: readVersion, now: now, freshFor: .seconds(600))
        }
        var limits = StoreLimits()
        limits.entryLimit = .bytes(entry(LogVersion(epoch: .new(), number: 0)).cost + difference)
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis, limits) { stores in
                let readVersion = await stores[0].load(location, at: now).readVersion
                #expect(await stores[0].save(entry(readVersion), at: now).isValid)
                #expect(await stores[0].texts(at: "/a") == (isStored ? ["a text"] : []))
                #expect(await stores[0].count() == (isStored ? 1 : 0))
            }
        }
    }

    @Test func `A response with a lifetime of less than a millisecond is not stored`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(1, on: redis) { stores in
                    #expect(await stores[0].put("v", at: "/a", freshFor: .microseconds(999)))
                    let none = try await cli.send("DBSIZE").integer()
                    #expect(await stores[0].put("v", at: "/b", freshFor: .seconds(60)))
                    let one = try await cli.send("DBSIZE").integer()
                    let left = try await cli.milliseconds(left: "larder:3:GET:/b")
                    #expect(none == 1 && one == 2 && left <= 60_000)
                }
            }
        }
    }

    @Test func `A variant that is stored replaces those that were invalidated by a path with queries`()
        async throws
    {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(1, on: redis) { stores in
                    let target = "/a?page=1"
                    for language in ["en", "de", "fr"] {
                        await stores[0].put(language, at: target, language: language)
                    }
                    // The path does not name the key, so that the entries are not removed at once.
                    await stores[0].invalidate([.path("/a")])
                    let before = try await cli.send("HLEN", .text("larder:3:GET:\(target)"))
                    await stores[0].put("it", at: target, language: "it")
                    let after = try await cli.send("HLEN", .text("larder:3:GET:\(target)"))
                    #expect(before == .integer(7) && after == .integer(3))
                }
            }
        }
    }
}
