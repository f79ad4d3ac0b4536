import HTTPTypes
import Larder
import LarderRedis
import LarderTestSupport
import RedisClient
import TestHelpers
import Testing

/// The counterexamples of the invalidation protocol (docs/invalidation.md), with a real Redis and two caches as two
/// processes would have them: `a` and `b` share only the server and the origin's data.
@Suite(.timeLimit(.minutes(5))) struct CounterexampleTests {
    private static let late = HTTPFields([HTTPField(name: .cacheTagForTests, value: "late")])
    private static let policy = CachePolicy.fresh(for: .seconds(60)).readingTags

    private func withProcesses(
        versionLimit: Int = 10_000,
        _ body: (Process, Process) async throws -> Void
    ) async throws {
        var limits = StoreLimits()
        limits.versionLimit = versionLimit
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis, limits) { stores in
                let clock = ManualClock(now: WallClock.system.now)
                let processes = stores.map { Process($0, clock) }
                try await body(processes[0], processes[1])
            }
        }
    }

    /// Returns an origin that renders the text of the row, and waits at a gate after each rendering of the text `v0`.
    private func origin(
        of row: Row,
        holding text: String = "v0",
        at gate: Gate,
        _ fields: HTTPFields = [:]
    ) -> TestOrigin {
        TestOrigin { _ in
            let rendered = row.text
            if rendered == text { await gate.pass() }
            return TestResponse(rendered, fields)
        }
    }

    @Test func `Overtaken fill: a fill from before another process's write is not served after it`() async throws {
        try await withProcesses { a, b in
            let (row, gate) = (Row("v0"), Gate())
            let origin = origin(of: row, at: gate)
            async let first = a.get(from: origin)
            await gate.reached()
            row.text = "v1"
            _ = try await b.put()
            gate.open()
            let overtaken = try await first
            let text = try await overtaken.text
            #expect(text == "v0" && overtaken.cacheStatusText.contains("detail=overtaken"))
            for process in [a, b, a] {
                let text = try await process.get(from: origin).text
                #expect(text == "v1")
            }
        }
    }

    @Test func `Compared at the store alone: a stored response is invalid after another process's write`() async throws
    {
        try await withProcesses { a, b in
            // The write does not name this query, so that only the comparison makes the entry invalid.
            let (row, target) = (Row("v0"), "/row?page=2")
            let origin = TestOrigin { _ in TestResponse(row.text) }
            _ = try await a.get(target, from: origin)
            for process in [a, b] {
                let hit = try await process.get(target, from: origin)
                #expect(hit.isHit)
            }
            row.text = "v1"
            _ = try await b.put()
            for process in [a, b] {
                let text = try await process.get(target, from: origin).text
                #expect(text == "v1")
            }
        }
    }

    @Test(arguments: [true, false]) func `Late tag: a fill is invalid if its tag was invalidated while the handler ran`(
        _ asksOther: Bool
    ) async throws {
        try await withProcesses { a, b in
            let (row, gate) = (Row("v0"), Gate())
            let origin = origin(of: row, at: gate, Self.late)
            async let first = a.get(under: Self.policy, from: origin)
            await gate.reached()
            row.text = "v1"
            await b.cache.invalidate(.tag("late"))
            gate.open()
            let text = try await first.text
            #expect(text == "v0")
            let reader = asksOther ? b : a
            let after = try await reader.get(under: Self.policy, from: origin).text
            #expect(after == "v1")
            // A response stored with the tag is invalidated by it, in each process that knows the tag or does not.
            row.text = "v2"
            await b.cache.invalidate(.tag("late"))
            for process in [a, b] {
                let text = try await process.get(under: Self.policy, from: origin).text
                #expect(text == "v2")
            }
        }
    }

    @Test func `Two writers: neither of two concurrent writers lowers the version that the other wrote`() async throws {
        try await withProcesses { a, b in
            for round in 0..<30 {
                let (row, gate) = (Row("v0"), Gate())
                let origin = origin(of: row, at: gate, Self.late)
                async let first = a.get("/row/\(round)", under: Self.policy, from: origin)
                await gate.reached()
                row.text = "v1"
                // The read version of the fill may lie between the versions of the writers: each of these must stay
                // above it.
                async let one = a.cache.invalidate(.tag("late"), .tag("one"))
                async let other = b.cache.invalidate(.tag("late"), .tag("other"))
                _ = await (one, other)
                gate.open()
                let text = try await first.text
                #expect(text == "v0")
                let after = try await b.get("/row/\(round)", under: Self.policy, from: origin).text
                #expect(after == "v1")
            }
            let readVersion = await a.store.readVersion()
            #expect(readVersion.number == 60)
            let validity = await a.store.validity(
                of: LogVersion(epoch: readVersion.epoch, number: 59),
                scopes: [.tag("late")]
            )
            #expect(!validity.isValid)
        }
    }

    @Test(arguments: [true, false]) func `Forgotten version: a response stays invalid when the version leaves the list`(
        _ isLate: Bool
    ) async throws {
        try await withProcesses(versionLimit: 3) { a, b in
            let (row, gate) = (Row("v0"), Gate())
            let origin = origin(of: row, at: gate, Self.late)
            // One fill is stored before the write, and one arrives after it.
            let open = Gate()
            open.open()
            _ = try await b.get("/before", under: Self.policy, from: self.origin(of: row, at: open, Self.late))
            async let first = a.get(under: Self.policy, from: origin)
            await gate.reached()
            row.text = "v1"
            let scopes: [InvalidationScope] = isLate ? [.tag("late")] : [.path("/row"), .path("/before")]
            await b.cache.invalidate(scopes)
            for id in 0..<10 { await b.cache.invalidate(.path(CachePath("/other/\(id)"))) }
            gate.open()
            let text = try await first.text
            #expect(text == "v0")
            for target in ["/row", "/before"] {
                for process in [a, b] {
                    let text = try await process.get(target, under: Self.policy, from: origin).text
                    #expect(text == "v1", "\(target)")
                }
            }
        }
    }

    @Test func `Overtaken refresh: a refresh from before another process's write is not served after it`() async throws
    {
        try await withProcesses { a, b in
            let (row, gate) = (Row("v0"), Gate())
            let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(600))
            _ = try await a.get(under: policy, from: TestOrigin { _ in TestResponse(row.text) })
            a.clock.advance(by: .seconds(20))
            let origin = origin(of: row, at: gate)
            let stale = try await a.get(under: policy, from: origin)
            #expect(stale.cacheStatusText.contains("stale-while-revalidate"))
            await gate.reached()
            row.text = "v1"
            _ = try await b.put()
            gate.open()
            await a.cache.idle()
            for process in [a, b] {
                let text = try await process.get(under: policy, from: origin).text
                #expect(text == "v1")
            }
        }
    }

    @Test func `Joined too late: a request does not join a flight from before another process's write`() async throws {
        try await withProcesses { a, b in
            let (row, gate) = (Row("v0"), Gate())
            let origin = origin(of: row, at: gate)
            async let before = b.get(from: origin)
            await gate.reached()
            row.text = "v1"
            _ = try await a.put()
            async let after = b.get(from: origin)
            try await eventually("it asks, or waits") { origin.fetches.count == 2 || b.cache.waiterCount == 1 }
            #expect(b.cache.waiterCount == 0)
            gate.open()
            let (text, new) = (try await before.text, try await after.text)
            // The earlier request may get the response of either fetch, the later one only the new response.
            #expect(["v0", "v1"].contains(text) && new == "v1")
            let last = try await b.get(from: origin).text
            #expect(last == "v1")
        }
    }

    @Test func `Late tag for waiters: a waiter looks up again if the flight gets an invalidated tag`() async throws {
        try await withProcesses { a, b in
            let (row, gate) = (Row("v0"), Gate())
            let origin = origin(of: row, at: gate, Self.late)
            async let leader = b.get(under: Self.policy, from: origin)
            await gate.reached()
            row.text = "v1"
            await a.cache.invalidate(.tag("late"))
            async let waiter = b.get(under: Self.policy, from: origin)
            try await eventually("a request waits") { b.cache.waiterCount == 1 }
            gate.open()
            let (first, second) = (try await leader.text, try await waiter.text)
            #expect(first == "v0" && second == "v1")
        }
    }
}

/// The parts of one process: a cache on a separate store.
struct Process {
    let store: RedisStore
    let cache: ResponseCache
    let clock: ManualClock

    init(_ store: RedisStore, _ clock: ManualClock) {
        (self.store, self.clock) = (store, clock)
        cache = ResponseCache(store: store, logger: .silent, clock: clock.clock)
    }

    func get(
        _ target: String = "/row",
        under policy: CachePolicy = .fresh(for: .seconds(60)),
        from origin: TestOrigin
    ) async throws -> TestResponse {
        try await cache.respond(to: .get(target), under: policy, from: origin)
    }

    /// Sends a write that has succeeded when this returns.
    func put(_ target: String = "/row") async throws -> TestResponse {
        var request = HTTPRequest.get(target)
        request.method = .put
        return try await cache.respond(
            to: request,
            under: .fresh(for: .seconds(60)),
            from: TestOrigin { _ in TestResponse("written") }
        )
    }
}
