import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// A server that crashes and comes back with the data of an older snapshot has lost invalidations: nothing that was
/// stored before the restart is served after it.
@Suite(.timeLimit(.minutes(10))) struct RestartTests {
    private static let entry = "larder:3:GET:/a"

    /// Takes a snapshot with a response in it, and invalidates the response after that.
    /// - Returns: The version of the log when the snapshot was taken.
    private func snapshot(_ redis: RedisProcess) async throws -> LogVersion {
        var version: LogVersion?
        try await withStores(1, on: redis) { stores in
            #expect(await stores[0].put("old", at: "/a", tags: ["t"]))
            #expect(await stores[0].put("old", at: "/other"))
            version = await stores[0].readVersion()
            try await RedisCLI.connect(to: redis) { try await $0.send("SAVE") }
            await stores[0].invalidate([.path("/a")])
            #expect(await stores[0].texts(at: "/a").isEmpty)
            #expect(stores[0].pendingInvalidations == 0)
        }
        return try #require(version)
    }

    /// Fails unless the restarted server has the data of the snapshot: otherwise no old response could come back.
    private func mustHoldSnapshot(_ redis: RedisProcess) async throws {
        try await RedisCLI.connect(to: redis) { cli in
            let value = try await cli.field("v:", of: Self.entry)
            let type = try await cli.send("TYPE", "larder:3:{log}").text()
            #expect(value != nil && type == "zset")
        }
    }

    @Test func `A restart from a snapshot begins another epoch, and nothing stored before is served`() async throws {
        try await RedisProcess.run { redis in
            let version = try await snapshot(redis)
            try await redis.restart()
            try await mustHoldSnapshot(redis)
            // The process that invalidated has ended as well: only the server's run ID shows the restart.
            try await withStores(2, on: redis) { stores in
                for store in stores {
                    #expect(await store.texts(at: "/a").isEmpty)
                    #expect(await store.texts(at: "/other").isEmpty)
                    #expect(await store.readVersion().epoch != version.epoch)
                }
                #expect(await stores[0].readVersion().epoch == stores[1].readVersion().epoch)
                #expect(await stores[0].count() == 0)
                // A fetch that began before the restart stores nothing after it.
                #expect(await !stores[0].put("late", at: "/a", readVersion: version))
                #expect(await stores[1].texts(at: "/a").isEmpty)
                #expect(await stores[0].put("new", at: "/a"))
                #expect(await stores[1].texts(at: "/a") == ["new"])
            }
        }
    }

    @Test func `A store that runs through a restart serves nothing from the snapshot`() async throws {
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis) { stores in
                let survivor = stores[0]
                // Another process invalidates, and ends before the restart.
                let version = try await snapshot(redis)
                #expect(await survivor.texts(at: "/other") == ["old"])
                try await redis.restart()
                try await mustHoldSnapshot(redis)
                try await eventually("it stores again") {
                    await survivor.put("new", at: "/new")
                    return await survivor.texts(at: "/new") == ["new"]
                }
                #expect(await survivor.readVersion().epoch != version.epoch)
                #expect(await survivor.texts(at: "/a").isEmpty)
                #expect(await survivor.texts(at: "/other").isEmpty)
                #expect(await survivor.texts(at: "/new") == ["new"])
            }
        }
    }

    @Test func `An acknowledged write is read through the other process, even if Redis restarts meanwhile`()
        async throws
    {
        try await RedisProcess.run { redis in
            // The stores have the default timeouts and pauses.
            let stores = try (0..<2).map { _ in
                try RedisStore("redis://127.0.0.1:\(redis.port)", logger: .silent)
            }
            try await withRunning(stores) {
                let clock = ManualClock(now: WallClock.system.now)
                let (writer, reader) = (Process(stores[0], clock), Process(stores[1], clock))
                let versions = Versions()
                let origin = TestOrigin { _ in
                    let version = versions.committed
                    // This gives a write the time to overtake a fetch.
                    for _ in 0..<version % 20 { await Task.yield() }
                    return TestResponse("\(version)")
                }
                let isOver = Row("no")
                let answers = NIOLockedValueBox(0)
                let counts = try await withThrowingTaskGroup(of: (acknowledged: Int, hits: Int).self) { group in
                    group.addTask {
                        var acknowledged = 0
                        while isOver.text == "no" {
                            let version = versions.commit()
                            let written = try await writer.put()
                            if !written.cacheStatusText.contains("invalidation-pending") {
                                versions.acknowledge(version)
                                acknowledged += 1
                            }
                            for _ in 0..<version % 40 { await Task.yield() }
                        }
                        return (acknowledged, 0)
                    }
                    for _ in 0..<4 {
                        group.addTask {
                            var hits = 0
                            while isOver.text == "no" {
                                let acknowledged = versions.acknowledged
                                let answer = try await reader.get(from: origin)
                                let version = try #require(Int(try await answer.text))
                                #expect(version >= acknowledged, "\(answer.cacheStatusText)")
                                answers.withLockedValue { $0 += 1 }
                                if answer.isHit { hits += 1 }
                            }
                            return (0, hits)
                        }
                    }
                    func come(_ count: Int) async throws {
                        let end = answers.withLockedValue { $0 } + count
                        try await eventually("there are answers") { answers.withLockedValue { $0 } >= end }
                    }
                    for round in 0..<5 {
                        try await eventually("the writer is connected") { stores[0].isAvailable }
                        try await come(50)
                        // Every other time the server comes back with the data of an earlier time.
                        if round.isMultiple(of: 2) {
                            try? await RedisCLI.connect(to: redis) { try await $0.send("SAVE") }
                        }
                        try await come(50)
                        redis.kill()
                        try await come(30 * round)
                        try await redis.restart()
                    }
                    try await eventually("both are connected") { stores.allSatisfy(\.isAvailable) }
                    try await come(200)
                    isOver.text = "yes"
                    return try await group.reduce((acknowledged: 0, hits: 0)) {
                        ($0.acknowledged + $1.acknowledged, $0.hits + $1.hits)
                    }
                }
                // A test without acknowledged writes, or without hits, would prove nothing.
                #expect(counts.acknowledged > 5 && counts.hits > 5, "\(counts)")
            }
        }
    }

    @Test func `A second restart from the same snapshot begins yet another epoch`() async throws {
        try await RedisProcess.run { redis in
            var epochs = [try await snapshot(redis).epoch]
            for _ in 0..<2 {
                try await redis.restart()
                try await withStores(1, on: redis) { stores in
                    let epoch = await stores[0].readVersion().epoch
                    #expect(!epochs.contains(epoch))
                    epochs.append(epoch)
                    #expect(await stores[0].texts(at: "/a").isEmpty)
                    #expect(await stores[0].put("v\(epochs.count)", at: "/a"))
                    #expect(await stores[0].texts(at: "/a") == ["v\(epochs.count)"])
                }
            }
        }
    }

    @Test func `A store that connects again to a server that was not restarted finds what was stored`() async throws {
        try await RedisProcess.run { redis in
            var epochs: Set<LogVersion.Epoch> = []
            for round in 0..<2 {
                try await withStores(1, on: redis) { stores in
                    if round == 0 { #expect(await stores[0].put("v", at: "/a")) }
                    #expect(await stores[0].texts(at: "/a") == ["v"])
                    epochs.insert(await stores[0].readVersion().epoch)
                }
            }
            #expect(epochs.count == 1)
        }
    }
}
