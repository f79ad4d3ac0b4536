import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// The counterexamples of docs/invalidation.md, replayed step by step under their names.
@Suite(.timeLimit(.minutes(5))) struct RaceTests {
    @Test func `Overtaken fill: A response that a write overtook answers earlier requests, and never later ones`()
        async throws
    {
        let bench = Bench()
        let row = Row("v0")
        let rendered = Gate()
        let origin = TestOrigin { _ in
            let text = row.text
            if text == "v0" { await rendered.pass() }
            return TestResponse(text)
        }
        async let first = bench.get(from: origin)
        await rendered.reached()
        row.text = "v1"
        _ = try await bench.send(.put, to: TestOrigin { _ in TestResponse("written") })
        rendered.open()
        let overtaken = try await first
        #expect(try await overtaken.text == "v0")
        #expect(overtaken.cacheStatusText.contains("detail=overtaken"))
        #expect(try await bench.get(from: origin).text == "v1")
    }

    @Test func `Late tag: A response is invalid if its handler's tag was invalidated meanwhile`() async throws {
        let bench = Bench()
        let row = Row("v0")
        let rendered = Gate()
        let origin = TestOrigin { _ in
            let text = row.text
            if text == "v0" { await rendered.pass() }
            return TestResponse(text, [.cacheTagForTests: "late"])
        }
        let policy = CachePolicy.fresh(for: .seconds(60)).readingTags
        async let first = bench.get(under: policy, from: origin)
        await rendered.reached()
        row.text = "v1"
        await bench.cache.invalidate(.tag("late"))
        rendered.open()
        let firstText = try await first.text
        #expect(firstText == "v0")
        #expect(try await bench.get(under: policy, from: origin).text == "v1")
        #expect(try await bench.get(under: policy, from: origin).isHit)
        await bench.cache.invalidate(.tag("late"))
        #expect(try await !bench.get(under: policy, from: origin).isHit)
    }

    @Test func `Overtaken refresh: A refresh that a write overtook does not restore the old response`() async throws {
        let bench = Bench()
        let row = Row("v0")
        let rendered = Gate()
        let isSlow = Row("")
        let origin = TestOrigin { _ in
            let text = row.text
            if isSlow.text == "yes" { await rendered.pass() }
            return TestResponse(text)
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(60))
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(20))
        isSlow.text = "yes"
        #expect(try await bench.get(under: policy, from: origin).cacheStatusText.contains("stale-while-revalidate"))
        await rendered.reached()
        row.text = "v1"
        await bench.cache.invalidate(.path("/posts"))
        isSlow.text = ""
        rendered.open()
        await bench.cache.idle()
        #expect(try await bench.get(under: policy, from: origin).text == "v1")
    }

    @Test func `Joined too late: A request after a write does not join a flight that began before it`() async throws {
        let bench = Bench()
        let row = Row("v0")
        let rendered = Gate()
        let origin = TestOrigin { _ in
            let text = row.text
            if text == "v0" { await rendered.pass() }
            return TestResponse(text)
        }
        async let before = bench.get(from: origin)
        await rendered.reached()
        row.text = "v1"
        await bench.cache.invalidate(.path("/posts"))
        #expect(try await bench.get(from: origin).text == "v1")
        // The later flight was faster, and its response is newer: it answers the leader of the first one as well.
        let beforeText = try await before.text
        #expect(beforeText == "v1")
        rendered.open()
        await bench.cache.idle()
        #expect(try await bench.get(from: origin).text == "v1")
    }

    @Test func `Late tag for waiters: A waiter from after the tag's invalidation looks up again`() async throws {
        let bench = Bench()
        let row = Row("v0")
        let rendered = Gate()
        let origin = TestOrigin { _ in
            let text = row.text
            if text == "v0" { await rendered.pass() }
            return TestResponse(text, [.cacheTagForTests: "late"])
        }
        let policy = CachePolicy.fresh(for: .seconds(60)).readingTags
        async let leader = bench.get(under: policy, from: origin)
        await rendered.reached()
        row.text = "v1"
        // The tag of the flight is not known yet, so the waiter may join.
        await bench.cache.invalidate(.tag("late"))
        async let waiter = bench.get(under: policy, from: origin)
        try await eventually("a request waits") { bench.cache.waiterCount == 1 }
        rendered.open()
        let leaderText = try await leader.text
        #expect(leaderText == "v0")
        let waiterText = try await waiter.text
        #expect(waiterText == "v1")
    }

    @Test func `An invalidation of another path does not keep requests from sharing a fetch`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v0")
        }
        async let leader = bench.get(from: origin)
        await gate.reached()
        await bench.cache.invalidate(.path("/other"))
        async let waiter = bench.get(from: origin)
        try await eventually("a request waits") { bench.cache.waiterCount == 1 }
        gate.open()
        _ = try await (leader, waiter)
        #expect(origin.fetches.count == 1)
    }

    @Test(arguments: [
        (InvalidationScope.path("/posts"), true), (.prefix("/"), true), (.prefix("/posts"), true),
        (.prefix("/post"), false),
        (.everything, true), (.tag("posts"), true), (.tag("other"), false), (.path("/"), false),
        (.path("/POSTS/"), true),
    ]) func `A scope invalidates the responses that belong to it, and no others`(
        _ scope: InvalidationScope,
        _ isInvalidated: Bool
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v0") }
        let policy = CachePolicy.fresh(for: .seconds(60)).tagged("posts")
        _ = try await bench.get("/posts?page=2", under: policy, from: origin)
        await bench.cache.invalidate(scope)
        #expect(await bench.cache.count() == (isInvalidated ? 0 : 1))
        let again = try await bench.get("/posts?page=2", under: policy, from: origin)
        #expect(again.isHit == !isInvalidated)
    }

    @Test(arguments: [15, 16, 17, 40]) func `A deep prefix invalidates the paths below it`(_ depth: Int) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v0") }
        let prefix = String(repeating: "/s", count: depth)
        _ = try await bench.get(prefix + "/below", from: origin)
        await bench.cache.invalidate(.prefix(CachePath(prefix)))
        #expect(await bench.cache.count() == 0)
    }

    @Test func `Forgotten version: A dropped version does not make an old response valid`() async throws {
        let clock = ManualClock()
        let store = MemoryStore(limit: .mebibytes(1), versionLimit: 3, clock: clock.clock)
        let cache = ResponseCache(store: store, clock: clock.clock)
        let origin = TestOrigin { _ in TestResponse("v0") }
        let policy = CachePolicy.fresh(for: .seconds(60))
        _ = try await cache.respond(to: .get("/a"), under: policy, from: origin)
        await cache.invalidate(.path("/a"))
        for id in 0..<20 { await cache.invalidate(.path(CachePath("/x\(id)"))) }
        store.validate()
        let after: TestResponse = try await cache.respond(to: .get("/a"), under: policy, from: origin)
        #expect(!after.isHit)
    }
}
