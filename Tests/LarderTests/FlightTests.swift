import HTTPTypes
import Larder
import LarderTesting
import NIOCore
import Testing

@Suite struct FlightTests {
    @Test func `any number of misses on a key are one call to the origin`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("once")
        }
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<200 { group.addTask { try await bench.get(from: origin).text } }
            try await eventually("199 wait") { bench.cache.passengerCount == 199 }
            gate.open()
            for try await text in group { #expect(text == "once") }
        }
        #expect(origin.fetches.count == 1)
        let counts = bench.cache.statistics.snapshot()
        #expect(counts.hits == 0 && counts.misses == 200)
        #expect(counts.topKeys.map(\.count) == [200])
    }

    @Test func `the fetch outlives the client that began it`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("kept")
        }
        let client = Task { try await bench.get(from: origin) }
        await gate.reached()
        client.cancel()
        await #expect(throws: CancellationError.self) { try await client.value }
        gate.open()
        await bench.cache.idle()
        #expect(try await bench.get(from: origin).cacheStatus.contains("hit"))
        #expect(origin.fetches.count == 1)
    }

    @Test func `a passenger that leaves harms nobody`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("kept")
        }
        async let leader = bench.get(from: origin)
        await gate.reached()
        let passenger = Task { try await bench.get(from: origin) }
        try await eventually("it waits") { bench.cache.passengerCount == 1 }
        passenger.cancel()
        await #expect(throws: CancellationError.self) { try await passenger.value }
        #expect(bench.cache.passengerCount == 0)
        gate.open()
        let leaderText = try await leader.text
        #expect(leaderText == "kept")
        #expect(bench.cache.statistics.snapshot().misses == 2)
    }

    @Test func `an uncacheable response lets everybody go at once, and the key is not serialised after it`()
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
            try await eventually("ten wait") { bench.cache.passengerCount == 10 }
            first.open()
            let leaderStatus = try await leader.value.cacheStatus
            #expect(leaderStatus.contains("detail=private"))
            // All ten stand at the origin at the same time.
            await others.reached(by: 10)
            for _ in 0..<5 { group.addTask { _ = try await bench.get(from: origin) } }
            await others.reached(by: 15)
            others.open()
            try await group.waitForAll()
        }
        #expect(origin.fetches.count == 16)
    }

    @Test func `nobody waits for a hung origin longer than the policy says`() async throws {
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
        async let passenger = bench.get(from: origin)
        try await eventually("it waits, and is timed") {
            bench.cache.passengerCount == 1 && bench.clock.sleeperCount == 1
        }
        bench.clock.advance(by: .seconds(5))
        let passengerText = try await passenger.text
        #expect(passengerText == "answer")
        hung.open()
        let leaderText = try await leader.text
        #expect(leaderText == "answer")
    }

    @Test func `an error of the handler reaches everybody who waited, unchanged`() async throws {
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
            try? await eventually("four wait") { bench.cache.passengerCount == 4 }
            gate.open()
        }
        #expect(origin.fetches.count == 1)
    }

    @Test func `a passenger is served only what varies as its own request does`() async throws {
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
        try await eventually("it waits") { bench.cache.passengerCount == 1 }
        gate.open()
        let englishText = try await english.text
        #expect(englishText == "in en")
        let germanText = try await german.text
        #expect(germanText == "in de")
        #expect(try await bench.get("/posts", [.acceptLanguage: "en"], from: origin).cacheStatus.contains("hit"))
        #expect(origin.fetches.count == 2)
        #expect(try await bench.cache.remove(CacheKey("GET:/posts")!))
        #expect(try await !bench.get("/posts", [.acceptLanguage: "de"], from: origin).cacheStatus.contains("hit"))
    }

    @Test func `a handler that asks for its own key does not wait for itself`() async throws {
        let bench = Bench()
        let inner = TestOrigin { _ in TestResponse("inner") }
        let outer = TestOrigin { _ in
            let nested = try await bench.get(from: inner)
            return TestResponse("outer of " + (try await nested.text))
        }
        #expect(try await bench.get(from: outer).text == "outer of inner")
    }

    @Test func `beyond its limits the cache fetches without flights`() async throws {
        let bench = Bench(limits: CacheLimits(flights: 1, passengers: 1))
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("answer")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for path in ["/a", "/a", "/a", "/b"] {
                group.addTask { _ = try await bench.get(path, from: origin) }
            }
            // One leads, one waits, one finds no seat and one no flight.
            await gate.reached(by: 3)
            #expect(bench.cache.passengerCount <= 1)
            gate.open()
            try await group.waitForAll()
        }
    }
}
