import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Larder
import LarderHummingbird
import LarderTestSupport
import Logging
import ServiceLifecycle
import Synchronization
import TestHelpers
import Testing

/// Invalidation by two tags, after a commit, later, and at most once in a time.
@Suite(.timeLimit(.minutes(5))) struct InvalidationAPITests {
    @Test(arguments: StoreChoice.allCases)
    func `Two tags invalidate the responses that have both`(store: StoreChoice) async throws {
        let calls = Counter()
        let tags: [String: [CacheTag]] = ["ab": ["b"], "a": [], "ac": ["c"], "abc": ["c", "b"]]
        try await store.withCache { cache in
            let router = Router(options: .autoGenerateHeadEndpoints)
            let policy = CachePolicy.fresh(for: .seconds(60)).tagged("a").invalidatedByTagPairs()
            router.group("x/:name").cached(by: cache, policy).get { _, context in
                "\(calls.next())".tagged(tags[context.parameters.get("name") ?? ""] ?? [])
            }
            router.group("many").cached(by: cache, policy).get { _, _ in
                "\(calls.next())".tagged((1...8).map { "t\($0)" })
            }
            try await Application(router: router).test(.router) { client in
                func hits() async throws -> [String] {
                    var hits: [String] = []
                    for name in tags.keys.sorted()
                    where try await client.get("/x/\(name)").isHit {
                        hits.append(name)
                    }
                    return hits
                }
                _ = try await hits()
                expectEqual(try await hits(), ["a", "ab", "abc", "ac"])
                await cache.invalidate(.tags("b", and: "a"))
                expectEqual(try await hits(), ["a", "ac"])
                await cache.invalidate(.tags("b", and: "c"))
                expectEqual(try await hits(), ["a", "ab", "ac"])
                await cache.invalidate(.tags("b", and: "x"))
                expectEqual(try await hits(), ["a", "ab", "abc", "ac"])
                await cache.invalidate(.tags("b", and: "b"))
                expectEqual(try await hits(), ["a", "ac"])
                expectTrue(try await client.get("/many").cacheStatusText.contains("detail=too-many-tags"))
            }
        }
    }

    @Test(arguments: StoreChoice.allCases)
    func `A change invalidates when it is committed, and not if it throws`(store: StoreChoice) async throws {
        struct RolledBack: Error {}
        try await store.withCache { cache in
            try await cache.set(1, "a", for: .seconds(60), tagged: ["t"])
            let result = await cache.invalidatingAfter { invalidations in
                invalidations.add(.tag("t"))
                invalidations.add([.tag("t"), .path("/x")])
                expectEqual(await cache.get("a", as: Int.self), 1)
                return "done"
            }
            #expect(result == "done")
            expectEqual(await cache.get("a", as: Int.self), nil)
            try await cache.set(2, "a", for: .seconds(60), tagged: ["t"])
            await #expect(throws: RolledBack.self) {
                try await cache.invalidatingAfter { invalidations in
                    invalidations.add(.tag("t"))
                    throw RolledBack()
                }
            }
            expectEqual(await cache.get("a", as: Int.self), 2)
            await cache.invalidatingAfter { _ in }
        }
    }

    @Test func `A scheduled invalidation is carried out when its time has come, unless it is cancelled`() async throws {
        let bench = Bench()
        for name in ["a", "b"] { try await bench.cache.set(1, name, for: .seconds(60), tagged: ["\(name)"]) }
        let first = bench.cache.invalidate(.tag("a"), after: .seconds(10))
        let second = bench.cache.invalidate(.tag("b"), after: .seconds(10))
        try await eventually("both invalidations wait") { bench.clock.sleeperCount == 2 }
        second.cancel()
        await second.value()
        bench.clock.advance(by: .seconds(9))
        expectEqual(await bench.cache.get("a", as: Int.self), 1)
        bench.clock.advance(by: .seconds(2))
        await first.value()
        expectEqual(await bench.cache.get("a", as: Int.self), nil)
        expectEqual(await bench.cache.get("b", as: Int.self), 1)
    }

    @Test func `Invalidations that follow one another are carried out once in their interval`() async throws {
        let bench = Bench()
        for round in 1...2 {
            try await bench.cache.set(round, "views", for: .seconds(600), tagged: ["views"])
            for _ in 0..<100 { bench.cache.invalidate(.tag("views"), atMostEvery: .seconds(5)) }
            try await eventually("an invalidation waits") { bench.clock.sleeperCount == 1 }
            expectEqual(await bench.cache.get("views", as: Int.self), round)
            bench.clock.advance(by: .seconds(6))
            await bench.cache.idle()
            expectEqual(await bench.cache.get("views", as: Int.self), nil)
        }
        let count = bench.log.events.count { event in
            if case .invalidated(let scopes) = event { scopes == [.tag("views")] } else { false }
        }
        #expect(count == 2)
    }

    @Test func `The time of a later invalidation counts from the call`() async throws {
        let bench = Bench()
        for name in ["a", "b"] { try await bench.cache.set(1, name, for: .seconds(60), tagged: ["\(name)"]) }
        bench.cache.invalidate(.tag("a"), after: .seconds(30))
        bench.cache.invalidate(.tag("b"), atMostEvery: .seconds(30))
        let later = bench.cache.invalidate(.tag("c"), after: .seconds(3_600))
        // Not even waited until the tasks sleep.
        bench.clock.advance(by: .seconds(31))
        await bench.cache.idle()
        for name in ["a", "b"] { expectEqual(await bench.cache.get(name, as: Int.self), nil) }
        later.cancel()
        await later.value()
    }

    @Test func `The Location of a response names a path on the host, with any scheme`() async throws {
        let (bench, calls) = (Bench(), Counter())
        let router = Router()
        let group = router.group("a").cached(by: bench.cache, .fresh(for: .seconds(60)))
        group.get("9") { _, _ in "\(calls.next())" }
        for (path, location) in [
            ("https", "https://localhost/a/9"), ("http", "http://localhost:80/a/9"), ("path", "/a/9"),
            ("other", "https://other.example/a/9"),
        ] {
            group.post("\(path)") { _, _ in Response(status: .created, headers: [.location: location]) }
        }
        try await serve(router) { port in
            for (path, isInvalidated) in [("https", true), ("http", true), ("path", true), ("other", false)] {
                let before = try await Wire.send("GET", "/a/9", to: port).text
                let created = try await Wire.send("POST", "/a/\(path)", body: "x", to: port)
                let after = try await Wire.send("GET", "/a/9", to: port).text
                #expect(created.status == 201 && (after != before) == isInvalidated, "\(path)")
            }
        }
    }

    @Test func `A shorter interval does not wait for a longer one`() async throws {
        let bench = Bench()
        try await bench.cache.set(1, "views", for: .seconds(600), tagged: ["views", "other"])
        for interval in [60, 5, 30] { bench.cache.invalidate(.tag("views"), atMostEvery: .seconds(interval)) }
        try await eventually("two invalidations wait") { bench.clock.sleeperCount == 2 }
        bench.clock.advance(by: .seconds(6))
        try await eventually("the value is invalidated") { await bench.cache.get("views", as: Int.self) == nil }
        try await bench.cache.set(2, "views", for: .seconds(600), tagged: ["views"])
        bench.clock.advance(by: .seconds(60))
        await bench.cache.idle()
        // The longer interval has nothing left to invalidate.
        expectEqual(await bench.cache.get("views", as: Int.self), 2)
    }

    @Test(arguments: StoreChoice.allCases)
    func `Debounced invalidations are carried out before the store is shut down`(store: StoreChoice) async throws {
        try await store.withStores { stores in
            let caches = [ResponseCache(store: stores.own), ResponseCache(store: stores.peer)]
            let group = ServiceGroup(services: [caches[0]], logger: Logger(label: "test"))
            let other = ServiceGroup(services: [caches[1]], logger: Logger(label: "test"))
            async let running: Void = group.run()
            async let otherRunning: Void = other.run()
            try await eventually("the stores are connected") { caches.allSatisfy(\.isStoreAvailable) }
            try await caches[0].set(1, "views", for: .seconds(600), tagged: ["views"])
            expectEqual(await caches[1].get("views", as: Int.self), 1)
            caches[0].invalidate(.tag("views"), atMostEvery: .seconds(3_600))
            await group.triggerGracefulShutdown()
            try await running
            expectEqual(await caches[1].get("views", as: Int.self), nil)
            await other.triggerGracefulShutdown()
            try await otherRunning
        }
    }

    @Test func `A scope that is added after the change is invalidated at once`() async throws {
        struct RolledBack: Error {}
        let bench = Bench()
        try await bench.cache.set(1, "a", for: .seconds(60), tagged: ["t"])
        let late = await bench.cache.invalidatingAfter { $0 }
        let abandoned = Mutex<CommittedInvalidations?>(nil)
        await #expect(throws: RolledBack.self) {
            try await bench.cache.invalidatingAfter { invalidations in
                abandoned.withLock { $0 = invalidations }
                throw RolledBack()
            }
        }
        abandoned.withLock { $0?.add(.tag("t")) }
        await bench.cache.idle()
        expectEqual(await bench.cache.get("a", as: Int.self), 1)
        late.add(.tag("t"))
        await bench.cache.idle()
        expectEqual(await bench.cache.get("a", as: Int.self), nil)
    }

    @Test(arguments: StoreChoice.allCases)
    func `The admin route deletes a value by its key, and the metrics show it`(store: StoreChoice) async throws {
        try await store.withCache { cache in
            let router = Router()
            router.addCacheAdministration(of: cache, access: .token(BearerToken("a-token-that-is-long-enough")!))
            try await cache.set(1, "top list", parts: 42, for: .seconds(60))
            try await Application(router: router).test(.router) { client in
                _ = await cache.get("top list", parts: 42, as: Int.self)
                let token: HTTPFields = [.authorization: "Bearer a-token-that-is-long-enough"]
                let metrics = try await client.get("/metrics/cache", token).text
                #expect(metrics.contains("value:top%20list:42"))
                let uri = "/api/invalidate/value:top%2520list:42"
                expectEqual(try await client.execute(uri: uri, method: .delete, headers: token).status, .ok)
                expectEqual(try await client.execute(uri: uri, method: .delete, headers: token).status, .notFound)
                #expect(await cache.get("top list", parts: 42, as: Int.self) == nil)
            }
        }
    }
}
