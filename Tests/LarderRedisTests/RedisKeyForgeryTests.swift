import HTTPTypes
import Larder
import LarderTestSupport
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// Clients cannot forge keys, variants and scopes in Redis, and a response can have any number of tags.
@Suite(.timeLimit(.minutes(5))) struct RedisKeyForgeryTests {
    private static let long = "/x?q=" + String(repeating: "a", count: 600)

    @Test(arguments: [nil, "42"]) func `A request for a forged target is a miss in Redis`(_ user: String?) async throws
    {
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis) { stores in
                let caches = stores.map { ResponseCache(store: $0) }
                let origin = TestOrigin { _ in TestResponse("secret") }
                func get(_ target: String, _ user: String?, _ cache: ResponseCache) async throws -> TestResponse {
                    try await cache.respond(to: .get(target), for: user, under: .fresh(for: .seconds(60)), from: origin)
                }
                _ = try await get(Self.long, user, caches[0])
                #expect(try await get(Self.long, user, caches[1]).isHit)
                let key = try #require(caches[0].statistics.snapshot().topKeys.first?.key.description)
                let target = String(key.dropFirst("GET:".count))
                for forged in [target, target.replacing("#", with: "%23"), target.replacing("#sha256=", with: "~")] {
                    for other in [user, "43"] {
                        let response = try await get(forged, other, caches[1])
                        #expect(!response.isHit, "\(forged)")
                    }
                }
                let removed = await caches[1].remove(try #require(CacheKey(key)))
                #expect(removed.wasStored)
                #expect(try await !get(Self.long, user, caches[0]).isHit)
            }
        }
    }

    @Test func `The name of a variant is made of at least 128 bits`() {
        #expect(VariantName.digestLength * 8 >= 128)
        let names = ["en", "de"].map { language in
            VariantName(of: .example(fields: [.vary: "Accept-Language"], request: [.acceptLanguage: language]))
        }
        #expect(names[0] != names[1] && names[0].rule == names[1].rule)
        #expect(names[0].field.utf8.count == "v:".utf8.count + 1 + 4 * VariantName.digestLength)
    }

    @Test func `A value in the place of another key is not found`() async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(1, on: redis) { stores in
                    #expect(await stores[0].put("secret", at: "/secret"))
                    let value = try #require(try await cli.field("v:", of: "larder:3:GET:/secret"))
                    let list = try #require(try await cli.field("m", of: "larder:3:GET:/secret"))
                    try await cli.send("HSET", "larder:3:GET:/a", "v:", .bytes(value), "m", .bytes(list))
                    #expect(await stores[0].texts(at: "/a").isEmpty)
                }
            }
        }
    }

    @Test func `No two scopes share a member of the log`() throws {
        let scopes: [InvalidationScope] = [
            .path("/a"), .path("/b"), .path(CachePath("a", "b")), .path(CachePath(segments: ["a/b"])), .prefix("/a"),
            .tag("/a"),
            .tag("a"), .tag("A"), .tag(CacheTag("a", "b")), .tag("a%3Ab"), .tag("caf\u{E9}"), .tag("cafe\u{301}"),
            .everything,
            .tag("*"), .tag("~n"), .tag("!floor"), .tag(""), .key(try #require(CacheKey("GET:/a"))),
            .key(try #require(CacheKey("~n"))),
        ]
        let members = scopes.map(\.member)
        #expect(Set(members.map { Array($0.utf8) }).count == scopes.count)
        #expect(members.allSatisfy { $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } })
    }

    @Test func `A prefix deeper than the deepest stored prefix invalidates what is below it`() async throws {
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis) { stores in
                let deep = String(repeating: "/s", count: 20)
                #expect(await stores[0].put("v0", at: deep + "/x"))
                await stores[1].invalidate([.prefix(CachePath(deep))])
                #expect(await stores[0].texts(at: deep + "/x").isEmpty)
            }
        }
    }

    @Test(arguments: [1_000, 9_000]) func `A response with many tags is stored, found, and invalidated by any of them`(
        _ count: Int
    ) async throws {
        var limits = StoreLimits()
        limits.entryLimit = .mebibytes(4)
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis, limits) { (stores) async throws in
                let caches = stores.map { ResponseCache(store: $0) }
                let policy = CachePolicy.fresh(for: .seconds(60)).limitingTags(to: count)
                let origin = TestOrigin { _ in
                    TestResponse("v", [.init("Cache-Tag")!: (0..<count).map { "tag \($0)" }.joined(separator: ",")])
                }
                func get(_ cache: ResponseCache) async throws -> String {
                    let response: TestResponse = try await cache.respond(to: .get("/a"), under: policy, from: origin)
                    return response.cacheStatusText
                }
                for tag in [0, 1, count / 2, count - 1] {
                    #expect(try await !get(caches[0]).contains("hit"))
                    #expect(try await get(caches[0]).contains("hit"))
                    #expect(try await get(caches[1]).contains("hit"))
                    #expect(try await get(caches[1]).contains("hit"))
                    await caches[1].invalidate(.tag("tag \(tag)"))
                    #expect(try await !get(caches[1]).contains("hit"))
                    await caches[0].invalidate(.tag("tag \(tag)"))
                }
                await caches[0].invalidate(.tag("tag \(count)"))
                #expect(try await !get(caches[0]).contains("hit"))
                #expect(try await get(caches[1]).contains("hit"))
                // A fill is not stored if one of its late tags was invalidated after its read version.
                let readVersion = await stores[0].readVersion()
                await stores[1].invalidate([.tag("tag \(count - 1)")])
                let tags = (0..<count).map { CacheTag("tag \($0)") }
                #expect(await !stores[0].put("old", at: "/b", readVersion: readVersion, tags: tags))
                #expect(await !stores[0].remove(EntryLocation("/a").key, at: WallClock.system.now).wasStored)
            }
        }
    }

    @Test func `A hit with a thousand tags is one round trip`() async throws {
        try await RedisProcess.run { redis in
            try await CountingProxy.run(to: redis.port) { proxy, port in
                var options = RedisStore.Options.longTimeouts
                options.connections = 1
                var limits = StoreLimits()
                limits.entryLimit = .mebibytes(1)
                let clock = ManualClock().clock
                try await withStores(1, on: redis, limits, options: options, clock: clock, port: port) { stores in
                    let tags = (0..<1_000).map { CacheTag("tag \($0)") }
                    #expect(await stores[0].put("v0", at: "/a", tags: tags))
                    proxy.reset()
                    #expect(await stores[0].texts(at: "/a") == ["v0"])
                    #expect(proxy.trips == 1)
                }
            }
        }
    }
}
