import HTTPCaching
import HTTPTypes
import Larder
import LarderTesting
import RedisClient
import Testing

@testable import LarderRedis

/// Which entries are stored in Redis, to the byte and to the millisecond.
@Suite(.timeLimit(.minutes(5))) struct EntryLimitTests {
    @Test(arguments: [(0, true), (-1, false)]) func `An entry is stored in Redis up to exactly the limit`(
        _ difference: Int,
        _ isStored: Bool
    ) async throws {
        let (address, now) = (CacheAddress("/a"), WallClock.system.now)
        func entry(_ birth: Birth) -> CacheEntry {
            .sample("a text", at: address, born: birth, now: now, freshFor: .seconds(600))
        }
        var options = RedisStore.Options.patient
        options.entryLimit = .bytes(entry(Birth(epoch: .new(), number: 0)).cost + difference)
        let limits = StoreLimits(entryLimit: options.entryLimit)
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis, limits, options: options) { stores in
                let birth = await stores[0].load(address, at: now).birth
                #expect(await stores[0].save(entry(birth), at: now).isAlive)
                #expect(await stores[0].texts(at: "/a") == (isStored ? ["a text"] : []))
                #expect(await stores[0].count() == (isStored ? 1 : 0))
            }
        }
    }

    @Test func `A response that is kept for less than a millisecond is not stored`() async throws {
        try await RedisProcess.run { redis in
            try await Stranger.meets(redis) { stranger in
                // By a clock that stands still the index is not swept.
                try await withStores(1, on: redis, clock: ManualClock().clock) { stores in
                    #expect(await stores[0].keep("v", at: "/a", freshFor: .microseconds(999)))
                    #expect(try await stranger.send("ZCARD", "larder:index").integer() == 0)
                    #expect(await stores[0].keep("v", at: "/b", freshFor: .seconds(60)))
                    #expect(try await stranger.send("ZCARD", "larder:index").integer() == 1)
                    #expect(try await stranger.milliseconds(left: "larder:GET:/b") <= 60_000)
                }
            }
        }
    }
}
