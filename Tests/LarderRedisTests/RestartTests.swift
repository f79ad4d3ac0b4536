import Larder
import LarderTesting
import NIOCore
import RedisClient
import Testing

@testable import LarderRedis

/// A server that crashes and comes back with what an older snapshot holds has lost invalidations: nothing that was
/// stored before the restart is served after it.
@Suite(.timeLimit(.minutes(10))) struct RestartTests {
    private static let entry = "larder:3:GET:/a"

    /// Takes a snapshot with a response in it, and invalidates the response after that.
    /// - Returns: the version of the log when the snapshot was taken.
    private func snapshot(_ redis: RedisProcess) async throws -> Birth {
        var version: Birth?
        try await withStores(1, on: redis) { stores in
            #expect(await stores[0].keep("old", at: "/a", tags: ["t"]))
            #expect(await stores[0].keep("old", at: "/other"))
            version = await stores[0].birth()
            try await Stranger.meets(redis) { try await $0.send("SAVE") }
            await stores[0].invalidate([.path("/a")])
            #expect(await stores[0].texts(at: "/a").isEmpty)
            #expect(stores[0].pendingInvalidations == 0)
        }
        return try #require(version)
    }

    /// Fails unless the restarted server holds the snapshot: otherwise nothing could come back.
    private func mustHoldSnapshot(_ redis: RedisProcess) async throws {
        try await Stranger.meets(redis) { stranger in
            let value = try await stranger.field("v:", of: Self.entry)
            let type = try await stranger.send("TYPE", "larder:3:{log}").text()
            #expect(value != nil && type == "zset")
        }
    }

    @Test func `A restart from a snapshot begins another epoch, and nothing stored before is served`() async throws {
        try await RedisProcess.run { redis in
            let version = try await snapshot(redis)
            try await redis.restart()
            try await mustHoldSnapshot(redis)
            // The process that invalidated is gone as well: nothing but the server's run ID tells.
            try await withStores(2, on: redis) { stores in
                for store in stores {
                    #expect(await store.texts(at: "/a").isEmpty)
                    #expect(await store.texts(at: "/other").isEmpty)
                    #expect(await store.birth().epoch != version.epoch)
                }
                #expect(await stores[0].birth().epoch == stores[1].birth().epoch)
                #expect(await stores[0].count() == 0)
                // A fetch that began before the restart stores nothing after it.
                #expect(await !stores[0].keep("late", at: "/a", born: version))
                #expect(await stores[1].texts(at: "/a").isEmpty)
                #expect(await stores[0].keep("new", at: "/a"))
                #expect(await stores[1].texts(at: "/a") == ["new"])
            }
        }
    }

    @Test func `A store that lives on through a restart serves nothing from the snapshot`() async throws {
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis) { stores in
                let survivor = stores[0]
                // Another process invalidates, and ends before the restart.
                let version = try await snapshot(redis)
                #expect(await survivor.texts(at: "/other") == ["old"])
                try await redis.restart()
                try await mustHoldSnapshot(redis)
                try await eventually("it stores again") {
                    await survivor.keep("new", at: "/new")
                    return await survivor.texts(at: "/new") == ["new"]
                }
                #expect(await survivor.birth().epoch != version.epoch)
                #expect(await survivor.texts(at: "/a").isEmpty)
                #expect(await survivor.texts(at: "/other").isEmpty)
                #expect(await survivor.texts(at: "/new") == ["new"])
            }
        }
    }

    @Test func `A second restart from the same snapshot begins yet another epoch`() async throws {
        try await RedisProcess.run { redis in
            var epochs = [try await snapshot(redis).epoch]
            for _ in 0..<2 {
                try await redis.restart()
                try await withStores(1, on: redis) { stores in
                    let epoch = await stores[0].birth().epoch
                    #expect(!epochs.contains(epoch))
                    epochs.append(epoch)
                    #expect(await stores[0].texts(at: "/a").isEmpty)
                    #expect(await stores[0].keep("v\(epochs.count)", at: "/a"))
                    #expect(await stores[0].texts(at: "/a") == ["v\(epochs.count)"])
                }
            }
        }
    }

    @Test func `A store that comes back to a server that was not restarted finds what was stored`() async throws {
        try await RedisProcess.run { redis in
            var epochs: Set<Birth.Epoch> = []
            for round in 0..<2 {
                try await withStores(1, on: redis) { stores in
                    if round == 0 { #expect(await stores[0].keep("v", at: "/a")) }
                    #expect(await stores[0].texts(at: "/a") == ["v"])
                    epochs.insert(await stores[0].birth().epoch)
                }
            }
            #expect(epochs.count == 1)
        }
    }
}
