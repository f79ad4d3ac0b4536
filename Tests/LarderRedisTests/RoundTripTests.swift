import HTTPTypes
import Larder
import LarderTestSupport
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// The number of round trips to Redis, and the amount of data that they transfer.
@Suite(.timeLimit(.minutes(5))) struct RoundTripTests {
    /// Runs two stores on one server: the first behind a proxy, sending nothing by itself.
    private func withProxy(_ body: (RedisStore, RedisStore, CountingProxy) async throws -> Void) async throws {
        try await RedisProcess.run { redis in
            try await CountingProxy.run(to: redis.port) { proxy, port in
                var options = RedisStore.Options.longTimeouts
                options.connections = 1
                let still = ManualClock().clock
                try await withStores(1, on: redis, options: options, clock: still, port: port) { stores in
                    try await withStores(1, on: redis) { try await body(stores[0], $0[0], proxy) }
                }
            }
        }
    }

    @Test func `A hit is one round trip, and so is a miss, a fill and an invalidation`() async throws {
        try await withProxy { store, _, proxy in
            let now = WallClock.system.now
            // The first command of each kind sends its script as well.
            await store.put("v0", at: "/first")
            await store.invalidate([.path("/first")])
            let location = EntryLocation("/a", tags: ["posts"])
            proxy.reset()
            let miss = await store.load(location, at: now)
            #expect(miss.entries.isEmpty && proxy.trips == 1)
            #expect(await store.put("v0", at: "/a", readVersion: miss.readVersion))
            #expect(proxy.trips == 2)
            for hit in 1...10 {
                #expect(await store.load(location, at: now).entries.count == 1)
                #expect(proxy.trips == 2 + hit)
            }
            proxy.reset()
            await store.invalidate([.path("/a"), .tag("posts"), .prefix("/"), .everything])
            #expect(proxy.trips == 1)
        }
    }

    @Test func `A hit with every variant is one round trip`() async throws {
        try await withProxy { store, _, proxy in
            for language in ["en", "de", "fr"] { await store.put(language, at: "/a", language: language) }
            proxy.reset()
            #expect(await store.texts(at: "/a") == ["fr", "de", "en"])
            #expect(proxy.trips == 1)
        }
    }

    @Test func `A hit transfers the variant that it needs and no other, in one round trip`() async throws {
        try await withProxy { store, peer, proxy in
            let languages = ["en", "de", "fr", "es", "it", "pt", "nl", "da"]
            let size = 40_000
            func body(_ language: String) -> String { language + String(repeating: "x", count: size) }
            for language in languages { #expect(await peer.put(body(language), at: "/a", language: language)) }
            // The first look-up learns the fields by which the responses vary.
            #expect(await store.text(at: "/a", [.acceptLanguage: "en"]) == body("en"))
            for language in languages {
                proxy.reset()
                #expect(await store.text(at: "/a", [.acceptLanguage: language]) == body(language))
                #expect(proxy.trips == 1 && proxy.bytes < size + 4_000, "\(proxy.trips) trips, \(proxy.bytes) bytes")
            }
            // A miss transfers no other variant.
            proxy.reset()
            #expect(await store.text(at: "/a", [.acceptLanguage: "sv"]) == nil)
            #expect(proxy.trips == 1 && proxy.bytes < 4_000)
            // A variant that another process stores meanwhile, by another rule, costs one more round trip, once.
            let fields: HTTPFields = [.acceptLanguage: "sv", .accept: "text/plain"]
            #expect(await peer.put("by two", at: "/a", fields, [.vary: "Accept, Accept-Language"]))
            for trips in [2, 1, 1] {
                proxy.reset()
                #expect(await store.text(at: "/a", fields) == "by two")
                #expect(proxy.trips == trips && proxy.bytes < 4_000)
            }
        }
    }

    @Test func `A key that was not seen before is found in one round trip if it varies as other keys do`()
        async throws
    {
        try await withProxy { store, peer, proxy in
            let gzip: HTTPFields = [.acceptEncoding: "gzip, br"]
            let rows: [(HTTPFields, HTTPFields)] = [
                ([:], [:]), (gzip, [:]), (gzip, [.vary: "Accept-Encoding"]),
                (gzip, [.vary: "Accept-Encoding", .contentEncoding: "gzip"]),
            ]
            for (row, (request, response)) in rows.enumerated() {
                for id in 0..<3 { #expect(await peer.put("\(id)", at: "/\(row)/\(id)", request, response)) }
                #expect(await store.text(at: "/\(row)/0", request) == "0")
                for id in 1..<3 {
                    proxy.reset()
                    #expect(await store.text(at: "/\(row)/\(id)", request) == "\(id)")
                    #expect(proxy.trips == 1, "row \(row)")
                }
            }
        }
    }

    @Test func `The handler's tags cost a process that does not know them one round trip, once`() async throws {
        try await withProxy { store, peer, proxy in
            #expect(await peer.put("v0", at: "/a", tags: ["late", "later"]))
            proxy.reset()
            #expect(await store.texts(at: "/a") == ["v0"])
            #expect(proxy.trips == 2)
            for hit in 1...3 {
                #expect(await store.texts(at: "/a") == ["v0"])
                #expect(proxy.trips == 2 + hit)
            }
            // Another fill with other tags costs one more, once.
            #expect(await peer.put("v1", at: "/a", tags: ["other"]))
            proxy.reset()
            #expect(await store.texts(at: "/a") == ["v1"])
            #expect(await store.texts(at: "/a") == ["v1"])
            #expect(proxy.trips == 3)
            // A process that stores an entry knows its tags.
            #expect(await store.put("v2", at: "/b", tags: ["late"]))
            proxy.reset()
            #expect(await store.texts(at: "/b") == ["v2"])
            #expect(proxy.trips == 1)
        }
    }

    /// Between the two reads of a hit with a late tag, other invalidations push that tag's version out of the list.
    @Test func `Forgotten between two reads: a version that leaves the list in between still counts`() async throws {
        try await RedisProcess.run { redis in
            try await CountingProxy.run(to: redis.port) { proxy, port in
                var options = RedisStore.Options.longTimeouts
                options.connections = 1
                let (still, few) = (ManualClock().clock, Self.fewVersions)
                try await withStores(1, on: redis, few, options: options, clock: still, port: port) { stores in
                    try await withStores(1, on: redis, few) { peers in
                        let (store, peer) = (stores[0], peers[0])
                        #expect(await peer.put("v0", at: "/a", tags: ["late"]))
                        await peer.invalidate([.tag("late")])
                        let gate = Gate()
                        proxy.hold(trip: 2, at: gate)
                        async let texts = store.texts(at: "/a")
                        await gate.reached()
                        for id in 0..<10 { await peer.invalidate([.path(CachePath("/x/\(id)"))]) }
                        gate.open()
                        let found = await texts
                        #expect(found.isEmpty)
                    }
                }
            }
        }
    }

    /// Everything is invalidated, and the tables are written again, between the two trips of a look-up, of a validity
    /// check and of a late tag's comparison: a response that was invalid by the tables before the first trip is invalid
    /// all the same.
    @Test(arguments: ["look-up", "validity", "late tag"])
    func `A version in a table is found by a second trip that begins after everything was invalidated`(
        _ kind: String
    ) async throws {
        try await RedisProcess.run { redis in
            try await CountingProxy.run(to: redis.port) { proxy, port in
                var options = RedisStore.Options.longTimeouts
                options.connections = 1
                let (still, few) = (ManualClock().clock, Self.fewVersions)
                try await withStores(1, on: redis, few, options: options, clock: still, port: port) { stores in
                    try await withStores(1, on: redis, few) { peers async throws in
                        let (store, peer) = (stores[0], peers[0])
                        let readVersion = await peer.readVersion()
                        let tags: [CacheTag] = kind == "late tag" ? ["late"] : []
                        // The path does not name the key, so that the entry is not removed at once.
                        #expect(await peer.put("v0", at: "/a?x=1", tags: tags))
                        await peer.invalidate(kind == "late tag" ? [.tag("late")] : [.path("/a")])
                        for id in 0..<10 { await peer.invalidate([.path(CachePath("/x/\(id)")), .tag("x\(id)")]) }
                        let gate = Gate()
                        // The list and the table are read twice if a tag is known only from the entry.
                        proxy.hold(trip: kind == "late tag" ? 4 : 2, at: gate)
                        async let isValid =
                            kind == "validity"
                            ? store.validity(of: readVersion, scopes: [.path("/a")]).isValid
                            : !store.texts(at: "/a?x=1").isEmpty
                        await gate.reached()
                        await peer.invalidate([.everything])
                        for id in 0..<10 { await peer.invalidate([.path(CachePath("/y/\(id)")), .tag("y\(id)")]) }
                        gate.open()
                        let wasValid = await isValid
                        #expect(!wasValid)
                    }
                }
            }
        }
    }

    private static var fewVersions: StoreLimits {
        var limits = StoreLimits()
        limits.versionLimit = 3
        return limits
    }
}
