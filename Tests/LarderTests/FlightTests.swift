import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct FlightTests {
    @Test func `Any number of misses on a key cause one call to the origin`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("once")
        }
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<200 { group.addTask { try await bench.get(from: origin).text } }
            try await eventually("199 wait") { bench.cache.waiterCount == 199 }
            gate.open()
            for try await text in group { #expect(text == "once") }
        }
        #expect(origin.fetches.count == 1)
        let counts = bench.cache.statistics.snapshot()
        #expect(counts.hits == 0 && counts.misses == 200)
        #expect(counts.topKeys.map(\.count) == [200])
    }

    @Test func `A fetch continues after the client that began it has left`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("stored")
        }
        let client = Task { try await bench.get(from: origin) }
        await gate.reached()
        client.cancel()
        await #expect(throws: CancellationError.self) { try await client.value }
        gate.open()
        await bench.cache.idle()
        #expect(try await bench.get(from: origin).isHit)
        #expect(origin.fetches.count == 1)
    }

    @Test func `A waiter that leaves does not affect other waiters`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("stored")
        }
        async let leader = bench.get(from: origin)
        await gate.reached()
        let waiter = Task { try await bench.get(from: origin) }
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        #expect(bench.cache.waiterCount == 0)
        gate.open()
        let leaderText = try await leader.text
        #expect(leaderText == "stored")
        #expect(bench.cache.statistics.snapshot().misses == 2)
    }

    @Test func `An uncacheable response releases all waiters at once, and later requests for the key do not wait`()
        async throws
    {
        let bench = Bench()
        let first = Gate()
        let others = Gate()
        let origin = TestOrigin { request in
            await (request.headerFields[.userAgent] == "first" ? first : others).pass()
            return TestResponse("mine", [.cacheControl: "private"])
        }
        let leader = Task { try await bench.get("/posts", [.userAgent: "first"], from: origin) }
        await first.reached()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { _ = try await bench.get(from: origin) } }
            try await eventually("ten wait") { bench.cache.waiterCount == 10 }
            first.open()
            let leaderStatus = try await leader.value.cacheStatusText
            #expect(leaderStatus.contains("detail=private"))
            // All ten requests are at the origin at the same time.
            await others.reached(by: 10)
            for _ in 0..<5 { group.addTask { _ = try await bench.get(from: origin) } }
            await others.reached(by: 15)
            others.open()
            try await group.waitForAll()
        }
        #expect(origin.fetches.count == 16)
    }

    @Test func `A request does not wait for a hung origin longer than the coalescing timeout`() async throws {
        let bench = Bench()
        let hung = Gate()
        let calls = Row("")
        let origin = TestOrigin { _ in
            let isFirst = calls.text.isEmpty
            calls.text = "called"
            if isFirst { await hung.pass() }
            return TestResponse("answer")
        }
        async let leader = bench.get(from: origin)
        await hung.reached()
        async let waiter = bench.get(from: origin)
        try await eventually("it waits, and its timeout runs") {
            bench.cache.waiterCount == 1 && bench.clock.sleeperCount == 1
        }
        bench.clock.advance(by: .seconds(5))
        let waiterText = try await waiter.text
        #expect(waiterText == "answer")
        hung.open()
        let leaderText = try await leader.text
        #expect(leaderText == "answer")
    }

    @Test func `An error of the handler reaches all waiters unchanged`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            throw TestFailure("down")
        }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<5 {
                group.addTask {
                    await #expect(throws: TestFailure("down")) { try await bench.get(from: origin) }
                }
            }
            try? await eventually("four wait") { bench.cache.waiterCount == 4 }
            gate.open()
        }
        #expect(origin.fetches.count == 2)
    }

    @Test(arguments: ["no-cache", "no-cache, max-age=60", "max-age=0, must-revalidate"])
    func `RFC 9111 4: A response that must be validated for each request is not shared`(
        _ directives: String
    )
        async throws
    {
        let bench = Bench()
        let fields: HTTPFields = [.cacheControl: directives, .eTag: "\"1\""]
        let (first, second) = (Gate(), Gate())
        let origin = TestOrigin { request in
            let isFirst = request.headerFields[.ifNoneMatch] == nil
            await (isFirst ? first : second).pass()
            return isFirst ? TestResponse("v", fields) : .notModified(fields)
        }
        for gate in [first, second] {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let response = try await bench.get(under: .gateway, from: origin)
                        #expect(try await response.text == "v" && !response.cacheStatusText.contains("collapsed"))
                    }
                }
                // The stored response shows that waiting is of no use.
                if gate === first { try await eventually("three wait") { bench.cache.waiterCount == 3 } }
                await gate.reached(by: gate === first ? 1 : 4)
                gate.open()
                try await group.waitForAll()
            }
            #expect(gate.arrivals == 4)
        }
    }

    @Test(arguments: [(2, 1), (1, 2)]) func `A request after the response's head shares it while it is fresh`(
        _ lifetime: Int,
        _ fetches: Int
    ) async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            TestResponse([.cacheControl: "max-age=\(lifetime)"]) { sink in
                try await sink.write(ByteBuffer(string: "whole"))
                await gate.pass()
                try await sink.finish()
            }
        }
        let leader = try await bench.get(under: .gateway, from: origin)
        await gate.reached()
        async let waiter = bench.get(under: .gateway, from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        bench.clock.advance(by: .seconds(1))
        // This request is later than the head of the response, and earlier than its end.
        async let late = bench.get(under: .gateway, from: origin)
        try await eventually("both wait") { bench.cache.waiterCount == 2 }
        // The response may be stale by its end.
        bench.clock.advance(by: .seconds(2))
        gate.open()
        let texts = try await [leader.text, waiter.text, late.text]
        #expect(texts == ["whole", "whole", "whole"])
        #expect(origin.fetches.count == fetches)
    }

    @Test func `A stale response for a client that allows it is not shared with other waiters`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("down", status: .serviceUnavailable)
        }
        let well = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=1"]) }
        _ = try await bench.get(under: .gateway, from: well)
        bench.clock.advance(by: .seconds(10))
        let allowing: HTTPFields = [.cacheControl: "stale-if-error=60"]
        async let leader = bench.get("/posts", allowing, under: .gateway, from: origin)
        await gate.reached()
        async let waiter = bench.get(under: .gateway, from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        gate.open()
        let (stale, failed) = try await (leader, waiter)
        let texts = try await [stale.text, failed.text]
        #expect(texts == ["v", "down"])
        #expect(failed.head.status == .serviceUnavailable)
    }

    @Test func `RFC 9111 5.2.1.4: A request with no-cache does not wait for another fetch`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v", [.cacheControl: "max-age=9"])
        }
        async let leader = bench.get(under: .gateway, from: origin)
        await gate.reached()
        async let demanding = bench.get("/posts", [.cacheControl: "no-cache"], under: .gateway, from: origin)
        await gate.reached(by: 2)
        gate.open()
        let texts = try await [leader.text, demanding.text]
        #expect(texts == ["v", "v"])
    }

    @Test func `A response that was stored during a request's look-up is not fetched again`() async throws {
        let store = SlowStore()
        let cache = ResponseCache(store: store)
        let policy = CachePolicy.fresh(for: .seconds(60))
        let origin = TestOrigin { _ in TestResponse("v") }
        // The request looks up, finds nothing, and gets the result late.
        async let slow: TestResponse = cache.respond(to: .get("/posts"), under: policy, from: origin)
        await store.slow.reached()
        let quick: TestResponse = try await cache.respond(to: .get("/posts"), under: policy, from: origin)
        #expect(!quick.isHit)
        store.slow.open()
        #expect(try await slow.isHit)
        #expect(origin.fetches.count == 1)
    }

    @Test func `A flight is over before its leader has the response`() async throws {
        let bench = Bench()
        let origin = TestOrigin { request in
            switch request.path {
            case let path? where path.hasPrefix("/no-store"): TestResponse("v", [.cacheControl: "no-store"])
            case "/failed": throw TestFailure("down")
            case "/streamed":
                TestResponse([.cacheControl: "max-age=9"]) { sink in
                    try await sink.write(ByteBuffer(string: "v"))
                    try await sink.finish()
                }
            default: TestResponse("v", [.cacheControl: "max-age=9"])
            }
        }
        for round in 0..<100 {
            for path in ["/stored?\(round)", "/no-store?\(round)", "/failed", "/streamed"] {
                _ = try? await bench.get(path, under: .gateway, from: origin).text
                #expect(bench.cache.flightCount == 0, "\(path), round \(round)")
            }
            bench.clock.advance(by: .seconds(9))
        }
    }

    @Test func `A waiter gets only a response whose Vary fields match its own request`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { request in
            await gate.pass()
            let language = request.headerFields[.acceptLanguage] ?? "none"
            return TestResponse("in \(language)", [.vary: "Accept-Language"])
        }
        async let english = bench.get("/posts", [.acceptLanguage: "en"], from: origin)
        await gate.reached()
        async let german = bench.get("/posts", [.acceptLanguage: "de"], from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        gate.open()
        let englishText = try await english.text
        #expect(englishText == "in en")
        let germanText = try await german.text
        #expect(germanText == "in de")
        #expect(try await bench.get("/posts", [.acceptLanguage: "en"], from: origin).isHit)
        #expect(origin.fetches.count == 2)
        #expect(await bench.cache.remove(CacheKey("GET:/posts")!).wasStored)
        #expect(try await !bench.get("/posts", [.acceptLanguage: "de"], from: origin).isHit)
    }

    @Test func `A handler that requests its own key does not wait for itself`() async throws {
        let bench = Bench()
        let inner = TestOrigin { _ in TestResponse("inner") }
        let outer = TestOrigin { _ in
            let nested = try await bench.get(from: inner)
            return TestResponse("outer of " + (try await nested.text))
        }
        #expect(try await bench.get(from: outer).text == "outer of inner")
    }

    @Test func `Beyond its limits the cache fetches without flights`() async throws {
        let bench = Bench(limits: CacheLimits(flights: 1, waiters: 1))
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("answer")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for path in ["/a", "/a", "/a", "/b"] {
                group.addTask { _ = try await bench.get(path, from: origin) }
            }
            // One request leads, one waits, one exceeds the limit of waiters and one the limit of flights.
            await gate.reached(by: 3)
            #expect(bench.cache.waiterCount <= 1)
            gate.open()
            try await group.waitForAll()
        }
    }
}

/// A store outside of the process, whose first look-up takes long.
private final class SlowStore: CacheStore {
    let slow = Gate()
    private let base = MemoryStore(limit: .mebibytes(1))
    private let isFirst = NIOLockedValueBox(true)

    var entryLimit: ByteCount { base.entryLimit }

    func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        let lookup = await base.load(location, for: query, at: now)
        let isFirst = isFirst.withLockedValue { isFirst in
            defer { isFirst = false }
            return isFirst
        }
        if isFirst { await slow.pass() }
        return lookup
    }

    func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity { await base.save(entry, at: now) }
    func discard(_ entry: CacheEntry) async { await base.discard(entry) }
    func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
        await base.validity(of: readVersion, scopes: scopes)
    }
    func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult { await base.invalidate(scopes) }
    func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult { await base.remove(key, at: now) }
    func count(at now: Timestamp) async -> Int { await base.count(at: now) }
    func run() async throws { await base.run() }
}
