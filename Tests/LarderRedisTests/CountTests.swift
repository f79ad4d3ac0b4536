import HTTPCaching
import Larder
import LarderTestSupport
import NIOCore
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// The count of the keys that are stored.
@Suite(.timeLimit(.minutes(5))) struct CountTests {
    @Test func `The count is exact up to 10,000 keys, and may be old beyond that`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(2, on: redis, clock: ManualClock().clock) { stores in
                    let (store, peer) = (stores[0], stores[1])
                    await store.fill(0..<6_000, tags: ["a"])
                    await peer.fill(6_000..<9_990, tags: ["b"])
                    #expect(await store.count() == 9_990)
                    await peer.invalidate([.tag("b")])
                    #expect(await store.count() == 6_000)
                    await peer.invalidate([.prefix("/1")])
                    #expect(await store.count() == 5_999)
                    // The keys of other programs are not entries.
                    try await cli.send("EVAL", "for i = 1, 20000 do redis.call('SET', 'x' .. i, '') end", 0)
                    #expect(await store.count() == 5_999)
                    await peer.invalidate([.tag("a")])
                    #expect(await store.count() == 0)
                    // A number beyond the limit is used for a while.
                    await store.fill(0..<11_000, tags: ["c"])
                    #expect(await peer.count() == 11_000)
                    await store.invalidate([.tag("c")])
                    #expect(await peer.count() == 11_000)
                    #expect(await store.count() == 0)
                }
            }
        }
    }

    @Test func `While Redis is away the last count is returned, and the store reported as unavailable`() async throws {
        var options = RedisStore.Options()
        options.retryPause = .milliseconds(50)
        try await RedisProcess.run { redis in
            try await withStores(1, on: redis, options: options) { stores in
                let cache = ResponseCache(store: stores[0])
                try await eventually("two are stored") {
                    for id in 0..<2 { await stores[0].put("v", at: "/\(id)") }
                    return await cache.count() == 2
                }
                #expect(cache.isStoreAvailable)
                redis.kill()
                try await eventually("the store is unavailable") { !cache.isStoreAvailable }
                #expect(await cache.count() == 2)
                try await redis.restart()
                try await eventually("the store is available again") {
                    let count = await cache.count()
                    return cache.isStoreAvailable && count == 0
                }
            }
        }
    }

    @Test func `A walk counts each name once, and looks at a part of very many keys`() {
        var walk = KeyWalk(total: 10)
        #expect(walk.visit(["a", "b"], next: "7") == ["a", "b"])
        walk.look(at: 2, valid: 1)
        #expect(walk.cursor == "7")
        #expect(walk.visit(["b", "c"], next: "0") == ["c"])
        walk.look(at: 1, valid: 1)
        #expect(walk.cursor == nil && walk.count == 2)

        var large = KeyWalk(total: 1_000_000)
        for page in 0..<1_000 {
            let names = (0..<1_000).map { "\(page)-\($0)" }
            let chosen = large.visit(names, next: page == 999 ? "0" : "\(page + 1)")
            #expect(chosen.count == 100)
            large.look(at: chosen.count, valid: chosen.count / 2)
        }
        #expect(large.visited == 1_000_000 && large.looked == 100_000 && large.count == 500_000)
        #expect(KeyWalk(total: 0).count == 0)
    }

    private func walk(over names: Int, valid: Int, next: String = "0") -> KeyWalk {
        var walk = KeyWalk(total: names)
        let chosen = walk.visit((0..<names).map(String.init), next: next)
        walk.look(at: chosen.count, valid: valid)
        return walk
    }

    @Test func `A count of very many keys is used for a minute, and renewed before`() {
        let start = ContinuousClock.now
        var known = KeyCount<String>()
        #expect(known.last == 0)
        var isDue = known.begin(of: 10_000, at: start)
        #expect(!isDue)
        isDue = known.begin(of: 20_000, at: start)
        #expect(isDue)
        var waiters = known.end(walk(over: 20_000, valid: 15_000), at: start)
        #expect(known.last == 15_000 && waiters.isEmpty)
        var answer = known.ask(of: 20_000, at: start + .seconds(59), "a")
        #expect(answer == .known(15_000))
        isDue = known.begin(of: 20_000, at: start + .seconds(44))
        #expect(!isDue)
        isDue = known.begin(of: 20_000, at: start + .seconds(45))
        #expect(isDue)
        // The old number is returned while a walk renews it, however old it is.
        answer = known.ask(of: 20_000, at: start + .seconds(99), "b")
        #expect(answer == .known(15_000))
        waiters = known.end(walk(over: 20_000, valid: 1, next: "7"), at: start + .seconds(100))
        #expect(known.last == 15_000, "a walk that did not get through changes nothing")
        answer = known.ask(of: 20_000, at: start + .seconds(100), "c")
        #expect(answer == .walk)
    }

    @Test func `One walk is under way at a time, and other requests wait for it`() {
        let start = ContinuousClock.now
        var known = KeyCount<String>()
        var answer = known.ask(of: 10, at: start, "a")
        #expect(answer == .walk)
        for name in ["b", "c"] {
            answer = known.ask(of: 10, at: start, name)
            #expect(answer == .wait)
        }
        var isDue = known.begin(of: 20_000, at: start)
        #expect(!isDue)
        var waiters = known.end(walk(over: 10, valid: 9), at: start)
        #expect(waiters == ["b", "c"] && known.last == 9)
        // Few keys are counted at each request.
        answer = known.ask(of: 10, at: start, "d")
        #expect(answer == .walk)
        waiters = known.end(walk(over: 10, valid: 8), at: start)
        #expect(waiters.isEmpty && known.last == 8)
        // Requests wait for the first count of very many keys.
        known = KeyCount()
        isDue = known.begin(of: 20_000, at: start)
        #expect(isDue)
        isDue = known.begin(of: 20_000, at: start + .seconds(3_600))
        #expect(!isDue)
        answer = known.ask(of: 20_000, at: start, "e")
        #expect(answer == .wait)
    }

    @Test func `Concurrent requests for the count share one walk`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(1, on: redis, clock: ManualClock().clock) { stores in
                    let store = stores[0]
                    await store.fill(0..<5_000)
                    func scans(_ count: () async -> Void) async throws -> Int {
                        try await cli.send("CONFIG", "RESETSTAT")
                        await count()
                        let text = try await cli.send("INFO", "commandstats").text()
                        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_scan:") }
                        let calls = line?.split(separator: ",").first?.split(separator: "=").last
                        return calls.flatMap { Int($0) } ?? 0
                    }
                    let once = try await scans { #expect(await store.count() == 5_000) }
                    #expect(once > 1)
                    let many = try await scans {
                        await withDiscardingTaskGroup { group in
                            for _ in 0..<50 { group.addTask { #expect(await store.count() == 5_000) } }
                        }
                    }
                    // A request after the end of a walk begins another.
                    #expect(many <= 3 * once, "\(many) steps, and \(once) for one")
                }
            }
        }
    }
}
