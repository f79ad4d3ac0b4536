import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import RedisClient
import TestHelpers
import Testing

@testable import LarderRedis

/// The keys in Redis: their names, types, values and times to live.
@Suite(.timeLimit(.minutes(5))) struct RedisLayoutTests {
    private func withOneStore(
        options: RedisStore.Options = .longTimeouts,
        _ body: (RedisStore, RedisCLI) async throws -> Void
    ) async throws {
        try await RedisProcess.run { redis in
            try await RedisCLI.connect(to: redis) { cli in
                try await withStores(1, on: redis, options: options) { try await body($0[0], cli) }
            }
        }
    }

    @Test func `A key in Redis is the key of the cache after the namespace`() async throws {
        try await withOneStore { store, cli in
            let cache = ResponseCache(store: store)
            let origin = TestOrigin { request in TestResponse(request.path ?? "") }
            let policy = CachePolicy.fresh(for: .seconds(90)).endingInSlash()
            for target in ["/api/posts", "/api/posts/?page=2"] {
                let _: TestResponse = try await cache.respond(to: .get(target), under: policy, from: origin)
            }
            let keys = try await cli.keys()
            #expect(
                keys == [
                    "larder:3:GET:/api/posts/": "hash", "larder:3:GET:/api/posts/?page=2": "hash",
                    "larder:3:{log}": "zset",
                ]
            )
            let names = RedisNames(namespace: "larder:")
            #expect(names?.log == "larder:3:{log}")
            #expect(names?.entry(EntryLocation("/api/posts/").key) == "larder:3:GET:/api/posts/")
            let value = try #require(try await cli.field("v:", of: "larder:3:GET:/api/posts/"))
            let entry = try EntryCodec.decode(value, expecting: EntryLocation("/api/posts/").key)
            #expect(entry.text == "/api/posts")
        }
    }

    @Test func `The variants of a key are listed, the newest first, with what a request needs to choose`() async throws
    {
        try await withOneStore { store, cli in
            #expect(await store.put("plain", at: "/a", tags: ["one"]))
            #expect(await store.put("de", at: "/a", language: "de"))
            let readVersion = await store.readVersion()
            let value = try #require(try await cli.field("m", of: "larder:3:GET:/a"))
            let lines = String(buffer: value).split(separator: "\n")
            let list = try #require(VariantList(value))
            #expect(lines.count == 3 && lines[0] == "3 \(readVersion.epoch.high) \(readVersion.epoch.low)")
            #expect(list.epoch == readVersion.epoch)
            #expect(list.variants.map(\.vary) == [.fields([.acceptLanguage]), .nothing])
            #expect(list.variants.map(\.number) == [0, 0] && !list.variants.contains(where: \.isCoded))
            for variant in list.variants {
                let bytes = try #require(try await cli.field(variant.field, of: "larder:3:GET:/a"))
                #expect(bytes.readableBytes == variant.size)
            }
            let scopes = try #require(try await cli.field("s:", of: "larder:3:GET:/a"))
            #expect(String(buffer: scopes) == "*\nkGET:/a\np/a\nd/\nd/a\ntone")
        }
    }

    @Test func `The pattern of the entries matches them in any namespace`() async throws {
        try await withOneStore { _, cli in
            for namespace in ["larder:", "~!*:{}", "[a-c]^\\?"] {
                let names = try #require(RedisNames(namespace: namespace))
                let entry = try #require(names.entry(EntryLocation("/a").key))
                for key in [entry, names.log, "x" + entry, namespace + "2:GET:/a"] {
                    try await cli.send("SET", .text(key), "")
                }
                let found = try await cli.send("KEYS", .text(names.entryPattern)).elements().map { try $0.text() }
                #expect(found == [entry])
            }
        }
    }

    @Test func `Redis expires an entry no later than its policy says, and never expires the log`() async throws {
        try await withOneStore { store, cli in
            let cache = ResponseCache(store: store)
            let origin = TestOrigin { _ in TestResponse("v0") }
            let rows: [(String, CachePolicy, ClosedRange<Int64>)] = [
                ("/short", .fresh(for: .seconds(90)), 1...90_000),
                ("/long", .fresh(for: .seconds(86_400)), 80_000_000...86_400_000),
                // A response may be stored longer for stale use, as the policy says.
                (
                    "/stale", .fresh(for: .seconds(90)).stale(whileRevalidating: .seconds(3_600)),
                    3_600_000...3_690_000
                ),
            ]
            for (target, policy, range) in rows {
                let _: TestResponse = try await cache.respond(to: .get(target), under: policy, from: origin)
                let left = try await cli.milliseconds(left: "larder:3:GET:\(target)")
                #expect(range.contains(left), "\(target): \(left)")
            }
            #expect(try await cli.milliseconds(left: "larder:3:{log}") == -1)
            // A second variant with a shorter lifetime does not shorten the first one's.
            await store.put("en", at: "/vary", freshFor: .seconds(1_000), language: "en")
            await store.put("de", at: "/vary", freshFor: .seconds(10), language: "de")
            let left = try await cli.milliseconds(left: "larder:3:GET:/vary")
            #expect(left > 500_000 && left <= 1_000_000)
        }
    }

    @Test func `A variant that is stored replaces those that were invalidated with its key`() async throws {
        try await withOneStore { (store, cli) async throws in
            for language in ["en", "de", "fr"] { await store.put(language, at: "/a", language: language) }
            #expect(try await cli.send("HLEN", "larder:3:GET:/a") == .integer(7))
            await store.invalidate([.path(EntryLocation("/a").path)])
            await store.put("it", at: "/a", language: "it")
            #expect(try await cli.send("HLEN", "larder:3:GET:/a") == .integer(3))
            // A tag may be one that the other variants do not have.
            #expect(await store.put("plain", at: "/a", tags: ["one"]))
            await store.invalidate([.tag("one")])
            #expect(await store.put("again", at: "/a", tags: ["one"]))
            #expect(await store.texts(at: "/a") == ["again", "it"])
        }
    }

    @Test func `A response that is expired on arrival is not stored, and what it replaces is removed`() async throws {
        try await withOneStore { store, cli in
            for lifetime in [Duration.seconds(-3_600), .zero, .microseconds(1)] {
                #expect(await store.put("v0", at: "/a"))
                #expect(await store.texts(at: "/a") == ["v0"])
                #expect(await store.put("v1", at: "/a", freshFor: lifetime))
                #expect(await store.texts(at: "/a").isEmpty)
                let keys = try await cli.keys()
                #expect(keys["larder:3:GET:/a"] == nil)
                #expect(await store.count() == 0)
            }
        }
    }

    @Test(arguments: ["log", "index", "GET", "*", "~n", "!floor"])
    func `Removing a key never removes a key that the store uses itself`(_ name: String) async throws {
        try await withOneStore { store, cli in
            #expect(await store.put("v0", at: "/a"))
            let key = try #require(CacheKey(name))
            let before = await store.readVersion()
            #expect(await !store.remove(key, at: WallClock.system.now).wasStored)
            await store.invalidate([.key(key)])
            let after = await store.readVersion()
            #expect(after.epoch == before.epoch && after.number == before.number + 2)
            #expect(await store.texts(at: "/a") == ["v0"])
            #expect(await store.count() == 1)
            #expect(try await cli.keys().count == 2)
        }
    }

    @Test func `Namespaces on one server are independent of each other`() async throws {
        try await RedisProcess.run { redis in
            let stores = try ["a:", "b:"].map { namespace in
                var options = RedisStore.Options.longTimeouts
                options.namespace = namespace
                return try RedisStore(.longTimeouts(redis.port), options: options, logger: .silent)
            }
            try await withRunning(stores) {
                #expect(await stores[0].put("of a", at: "/row"))
                #expect(await stores[1].texts(at: "/row").isEmpty)
                #expect(await stores[1].count() == 0)
                #expect(await stores[1].put("of b", at: "/row"))
                #expect(await stores[0].texts(at: "/row") == ["of a"])
                await stores[0].invalidate([.everything])
                _ = await stores[0].remove(EntryLocation("/row").key, at: WallClock.system.now)
                #expect(await stores[0].texts(at: "/row").isEmpty)
                #expect(await stores[1].texts(at: "/row") == ["of b"])
                #expect(await stores[1].count() == 1)
            }
        }
    }

    @Test(arguments: ["", "a b", "a\n", "tab\t", "ä:", "\u{7F}", "\u{0}", String(repeating: "a", count: 65)])
    func `A namespace that is not valid is an error`(_ namespace: String) {
        var options = RedisStore.Options()
        options.namespace = namespace
        #expect(throws: RedisStoreError.self) { try RedisStore("redis://127.0.0.1:6379", options: options) }
    }

    @Test(arguments: ["a", "~!*:{}", String(repeating: "a", count: 64)])
    func `A namespace is visible ASCII`(_ namespace: String) throws {
        var options = RedisStore.Options()
        options.namespace = namespace
        _ = try RedisStore("redis://127.0.0.1:6379", options: options)
    }
}
