import Larder
import LarderTesting
import NIOCore
import RedisClient
import Testing

@testable import LarderRedis

/// Redis loses what it was given: that costs misses, and nothing old comes back.
@Suite(.timeLimit(.minutes(5))) struct LossTests {
    private func withTwoStores(_ body: (RedisStore, RedisStore, Stranger) async throws -> Void) async throws {
        try await RedisProcess.run { redis in
            try await Stranger.meets(redis) { stranger in
                try await withStores(2, on: redis) { try await body($0[0], $0[1], stranger) }
            }
        }
    }

    @Test(arguments: ["FLUSHALL", "FLUSHDB"])
    func `everything is lost under a running store`(_ command: String) async throws {
        try await withTwoStores { store, peer, stranger in
            #expect(await store.keep("v0", at: "/a"))
            let old = await store.birth()
            let dump = try #require(try await stranger.send("DUMP", "larder:3:GET:/a").bytes())
            try await stranger.send(command)
            #expect(await store.texts(at: "/a").isEmpty)
            #expect(await store.count() == 0)
            // What was being fetched, and what comes back from a copy, is of another life.
            #expect(await !peer.keep("v0", at: "/a", born: old))
            try await stranger.send("RESTORE", "larder:3:GET:/a", 0, .bytes(dump), "REPLACE")
            #expect(await store.texts(at: "/a").isEmpty)
            #expect(await peer.texts(at: "/a").isEmpty)
            #expect(await peer.keep("v1", at: "/a"))
            #expect(await store.texts(at: "/a") == ["v1"])
            #expect(await store.count() == 1)
            await store.invalidate([.path("/a")])
            #expect(await peer.texts(at: "/a").isEmpty)
        }
    }

    @Test func `without its ledger everything older is dead`() async throws {
        try await withTwoStores { store, peer, stranger in
            #expect(await store.keep("v0", at: "/a"))
            let old = await store.birth()
            await store.invalidate([.path("/a")])
            #expect(await store.keep("v1", at: "/a"))
            #expect(await peer.keep("v1", at: "/b"))
            try await stranger.send("DEL", "larder:3:ledger")
            #expect(await peer.texts(at: "/a").isEmpty)
            #expect(await store.texts(at: "/b").isEmpty)
            let new = await store.birth()
            #expect(new.epoch != old.epoch && new.number == 0)
            #expect(await peer.birth() == new)
            #expect(await !store.keep("v0", at: "/a", born: old))
            #expect(await store.keep("v2", at: "/a"))
            #expect(await peer.texts(at: "/a") == ["v2"])
        }
    }

    @Test func `the first to need a lost ledger may be a write or a fill`() async throws {
        try await withTwoStores { store, peer, stranger in
            #expect(await store.keep("v0", at: "/a"))
            let old = await store.birth()
            try await stranger.send("DEL", "larder:3:ledger")
            await store.invalidate([.path("/other")])
            #expect(await peer.texts(at: "/a").isEmpty)
            try await stranger.send("DEL", "larder:3:ledger")
            #expect(await !store.keep("v0", at: "/a", born: old))
            let verdict = await peer.judge(old, covers: [.everything])
            #expect(!verdict.isAlive)
            #expect(await store.keep("v1", at: "/a"))
            #expect(await peer.texts(at: "/a") == ["v1"])
        }
    }

    @Test func `what was deleted behind the store's back, or is over, is not counted`() async throws {
        try await withTwoStores { store, peer, stranger in
            for id in 0..<30 { #expect(await store.keep("v0", at: "/\(id)")) }
            #expect(await peer.count() == 30)
            for id in 0..<29 { try await stranger.send("DEL", .text("larder:3:GET:/\(id)")) }
            #expect(await store.count() == 1)
            #expect(await peer.count() == 1)
            #expect(await store.keep("v0", at: "/short", freshFor: .milliseconds(200)))
            try await eventually("it is over") { await store.count() == 1 }
            #expect(await store.texts(at: "/29") == ["v0"])
        }
    }

    /// A server that is another one, and tells no run ID by which that could be seen, may have lost invalidations.
    @Test func `What was invalidated lately is invalidated again on a server that is met again`() async throws {
        try await withTwoStores { store, peer, stranger in
            let (entry, log) = ("larder:3:GET:/a", "larder:3:ledger")
            #expect(await store.keep("old", at: "/a", tags: ["t"]))
            let lost = try await (
                stranger.send("DUMP", .text(entry)).bytes(), stranger.send("DUMP", .text(log)).bytes()
            )
            await store.invalidate([.tag("t")])
            for (key, dump) in [(entry, lost.0), (log, lost.1)] {
                try await stranger.send("RESTORE", .text(key), 0, .bytes(try #require(dump)), "REPLACE")
            }
            // The invalidation is lost, as after a failover to a replica that lags behind.
            #expect(await peer.texts(at: "/a") == ["old"])
            try await stranger.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await eventually("it is invalidated again") { await peer.texts(at: "/a").isEmpty && store.isAvailable }
            try await eventually("both are connected") { peer.isAvailable }
            #expect(await peer.keep("new", at: "/a"))
            #expect(await peer.texts(at: "/a") == ["new"])
        }
    }
}
