import Larder
import NIOCore
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// Redis loses data: that costs misses, and no old response is served.
@Suite(.timeLimit(.minutes(5))) struct LossTests {
    private func withTwoStores(_ body: (RedisStore, RedisStore, RedisCLI) async throws -> Void) async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(2, on: redis) { try await body($0[0], $0[1], cli) }
            }
        }
    }

    @Test(arguments: ["FLUSHALL", "FLUSHDB"])
    func `A store continues with a new log after Redis lost everything`(_ command: String) async throws {
        try await withTwoStores { store, peer, cli in
            #expect(await store.put("v0", at: "/a"))
            let old = await store.readVersion()
            let dump = try #require(try await cli.send("DUMP", "larder:3:GET:/a").bytes())
            try await cli.send(command)
            #expect(await store.texts(at: "/a").isEmpty)
            #expect(await store.count() == 0)
            // A fetch that began before, and an entry restored from a copy, have the read version of another epoch.
            #expect(await !peer.put("v0", at: "/a", readVersion: old))
            try await cli.send("RESTORE", "larder:3:GET:/a", 0, .bytes(dump), "REPLACE")
            #expect(await store.texts(at: "/a").isEmpty)
            #expect(await peer.texts(at: "/a").isEmpty)
            #expect(await peer.put("v1", at: "/a"))
            #expect(await store.texts(at: "/a") == ["v1"])
            #expect(await store.count() == 1)
            await store.invalidate([.path("/a")])
            #expect(await peer.texts(at: "/a").isEmpty)
        }
    }

    @Test func `Everything older is invalid if the log is lost`() async throws {
        try await withTwoStores { store, peer, cli in
            #expect(await store.put("v0", at: "/a"))
            let old = await store.readVersion()
            await store.invalidate([.path("/a")])
            #expect(await store.put("v1", at: "/a"))
            #expect(await peer.put("v1", at: "/b"))
            try await cli.send("DEL", "larder:3:{log}")
            #expect(await peer.texts(at: "/a").isEmpty)
            #expect(await store.texts(at: "/b").isEmpty)
            let new = await store.readVersion()
            #expect(new.epoch != old.epoch && new.number == 0)
            #expect(await peer.readVersion() == new)
            #expect(await !store.put("v0", at: "/a", readVersion: old))
            #expect(await store.put("v2", at: "/a"))
            #expect(await peer.texts(at: "/a") == ["v2"])
        }
    }

    @Test func `A write or a fill may be the first to need a lost log`() async throws {
        try await withTwoStores { store, peer, cli in
            #expect(await store.put("v0", at: "/a"))
            let old = await store.readVersion()
            try await cli.send("DEL", "larder:3:{log}")
            await store.invalidate([.path("/other")])
            #expect(await peer.texts(at: "/a").isEmpty)
            try await cli.send("DEL", "larder:3:{log}")
            #expect(await !store.put("v0", at: "/a", readVersion: old))
            let validity = await peer.validity(of: old, scopes: [.everything])
            #expect(!validity.isValid)
            #expect(await store.put("v1", at: "/a"))
            #expect(await peer.texts(at: "/a") == ["v1"])
        }
    }

    @Test func `Entries that another program deleted, or that are expired, are not counted`() async throws {
        try await withTwoStores { store, peer, cli in
            for id in 0..<30 { #expect(await store.put("v0", at: "/\(id)")) }
            #expect(await peer.count() == 30)
            for id in 0..<29 { try await cli.send("DEL", .text("larder:3:GET:/\(id)")) }
            #expect(await store.count() == 1)
            #expect(await peer.count() == 1)
            #expect(await store.put("v0", at: "/short", freshFor: .milliseconds(200)))
            try await eventually("the entry has expired") { await store.count() == 1 }
            #expect(await store.texts(at: "/29") == ["v0"])
        }
    }

    @Test func `A lost connection does not repeat invalidations`() async throws {
        try await withTwoStores { store, peer, cli in
            await store.invalidate([.tag("t"), .path("/b")])
            #expect(await store.put("v0", at: "/a", tags: ["t"]))
            let before = await peer.readVersion()
            try await cli.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            for store in [store, peer] {
                try await eventually("it is connected again") { store.isAvailable && store.connectionCount == 2 }
                try await eventually("it finds what was stored") { await store.texts(at: "/a") == ["v0"] }
            }
            #expect(await peer.readVersion() == before)
        }
    }
}
