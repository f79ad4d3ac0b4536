import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// Stale responses while the origin is slow or fails (RFC 5861 §4).
@Suite(.timeLimit(.minutes(5))) struct OriginOutageTests {
    private static let policy = CachePolicy.fresh(for: .seconds(10))
        .stale(ifError: .seconds(600), after: .milliseconds(200))

    /// Returns an origin that answers once, and afterwards waits at a gate and fails.
    private static func failing(at gate: Gate, _ fields: HTTPFields = [:]) -> TestOrigin {
        let isUp = Row("yes")
        return TestOrigin { _ in
            defer { isUp.text = "no" }
            guard isUp.text == "no" else { return TestResponse("good", fields) }
            await gate.pass()
            throw TestFailure("down", status: .serviceUnavailable)
        }
    }

    @Test func `A leader and its waiters get the stale response when the soft timeout is over`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = Self.failing(at: gate)
        _ = try await bench.get(under: Self.policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        async let leader = bench.get(under: Self.policy, from: origin)
        await gate.reached()
        async let waiter = bench.get(under: Self.policy, from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 && bench.clock.sleeperCount == 3 }
        bench.clock.advance(by: .milliseconds(100))
        async let late = bench.get(under: Self.policy, from: origin)
        try await eventually("both wait") { bench.cache.waiterCount == 2 && bench.clock.sleeperCount == 4 }
        // The late request waits no longer than the leader.
        bench.clock.advance(by: .milliseconds(100))
        for response in try await [leader, waiter, late] {
            #expect(try await response.text == "good")
            #expect(response.cacheStatusText.contains("detail=soft-timeout"))
        }
        // A request that arrives now does not wait at all.
        #expect(try await bench.get(under: Self.policy, from: origin).text == "good")
        #expect(origin.fetches.count == 2)
        gate.open()
        await bench.cache.idle()
    }

    @Test func `A response that arrives after the soft timeout is stored`() async throws {
        let bench = Bench()
        let gate = Gate()
        let row = Row("old")
        let origin = TestOrigin { _ in
            let text = row.text
            if text == "new" { await gate.pass() }
            return TestResponse(text)
        }
        _ = try await bench.get(under: Self.policy, from: origin)
        row.text = "new"
        bench.clock.advance(by: .seconds(15))
        async let stale = bench.get(under: Self.policy, from: origin)
        await gate.reached()
        try await eventually("its timeout runs") { bench.clock.sleeperCount == 1 }
        bench.clock.advance(by: .milliseconds(200))
        #expect(try await stale.text == "old")
        gate.open()
        await bench.cache.idle()
        let hit = try await bench.get(under: Self.policy, from: origin)
        #expect(try await hit.text == "new")
        #expect(hit.isHit)
    }

    @Test(arguments: ["must-revalidate, max-age=10", "proxy-revalidate, max-age=10", "s-maxage=10", "no-cache"])
    func `RFC 9111 4.2.4: A response that forbids stale reuse is waited for, whatever the soft timeout`(
        _ directives: String
    ) async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = Self.failing(at: gate, [.cacheControl: directives, .eTag: "\"x\""])
        var policy = CachePolicy.gateway
        policy.rules.staleIfError = .seconds(600)
        policy.rules.allowsStaleBesideSMaxAge = true
        policy.softTimeout = .milliseconds(200)
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        let client = Task { [policy] in try await bench.get(under: policy, from: origin) }
        await gate.reached()
        #expect(bench.clock.sleeperCount == 0)
        gate.open()
        _ = try? await client.value
    }

    @Test func `The soft timeout is off by default`() {
        #expect(CachePolicy.gateway.softTimeout == nil)
        #expect(CachePolicy.fresh(for: .seconds(1)).stale(ifError: .seconds(60)).softTimeout == nil)
    }

    @Test(arguments: [true, false]) func `A failing origin is asked after pauses that double up to ten seconds`(
        _ isThrown: Bool
    ) async throws {
        let bench = Bench()
        let isUp = Row("yes")
        let origin = TestOrigin { _ in
            if isUp.text == "yes" { return TestResponse("good") }
            if isThrown { throw TestFailure("down") }
            return TestResponse("bad", status: .badGateway)
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(600))
        _ = try await bench.get(under: policy, from: origin)
        isUp.text = "no"
        bench.clock.advance(by: .seconds(15))
        var times: [Int] = []
        for tenth in 0..<600 {
            let before = origin.fetches.count
            let stale = try await bench.get(under: policy, from: origin)
            #expect(try await stale.text == "good")
            #expect(stale.cacheStatusText.contains("detail=stale-if-error"))
            if origin.fetches.count > before { times.append(tenth) } else { #expect(stale.isHit) }
            bench.clock.advance(by: .milliseconds(100))
        }
        let pauses = zip(times.dropFirst(), times).map { $0 - $1 }
        #expect(pauses.prefix(5) == [5, 10, 20, 40, 80])
        #expect(pauses.dropFirst(5).allSatisfy { $0 == 100 })
        isUp.text = "yes"
        bench.clock.advance(by: .seconds(10))
        #expect(try await bench.get(under: policy, from: origin).cacheStatusText.contains("stored"))
    }

    @Test func `Without a usable stale response a failing origin is asked each time`() async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in throw TestFailure("down") }
        for _ in 0..<3 {
            await #expect(throws: TestFailure("down")) { try await bench.get(from: origin) }
        }
        #expect(origin.fetches.count == 3)
    }

    @Test func `A response that is invalidated during the pause is not served stale`() async throws {
        let bench = Bench()
        let isUp = Row("yes")
        let origin = TestOrigin { _ in
            guard isUp.text == "yes" else { throw TestFailure("down") }
            return TestResponse("good")
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(600))
        _ = try await bench.get(under: policy, from: origin)
        isUp.text = "no"
        bench.clock.advance(by: .seconds(15))
        _ = try await bench.get(under: policy, from: origin)
        _ = try await bench.send(.put, under: policy, to: TestOrigin { _ in TestResponse("done") })
        await #expect(throws: TestFailure("down")) { try await bench.get(under: policy, from: origin) }
    }

    @Test func `Waiters of a slow origin that fails get the stale response with the leader`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = Self.failing(at: gate)
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(600))
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        let clients = (0..<3).map { _ in Task { try await bench.get(under: policy, from: origin).text } }
        try await eventually("two wait") { bench.cache.waiterCount == 2 }
        gate.open()
        for client in clients { #expect(try await client.value == "good") }
        #expect(origin.fetches.count == 2)
    }

    @Test(arguments: ["path", "late tag"])
    func `A response that was invalidated while its origin hung is not served stale`(_ way: String) async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = Self.failing(at: gate, [.init("Cache-Tag")!: "late"])
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(600))
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        let client = Task { try await bench.get(under: policy, from: origin) }
        await gate.reached()
        await bench.cache.invalidate(way == "path" ? .path("/posts") : .tag("late"))
        gate.open()
        await #expect(throws: TestFailure.self) { try await client.value }
    }

    @Test(arguments: [401, 403, 429], [true, false])
    func `A refresh that is refused is not tried again at every stale hit`(_ code: Int, _ isThrown: Bool) async throws {
        let bench = Bench()
        let status = HTTPResponse.Status(code: code)
        let isUp = Row("yes")
        let origin = TestOrigin { _ in
            if isUp.text == "yes" { return TestResponse("good") }
            if isThrown { throw TestFailure("refused", status: status) }
            return TestResponse("refused", status: status)
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(300))
        _ = try await bench.get(under: policy, from: origin)
        isUp.text = "no"
        bench.clock.advance(by: .seconds(15))
        for _ in 0..<20 {
            #expect(try await bench.get(under: policy, from: origin).text == "good")
            await bench.cache.idle()
        }
        #expect(origin.fetches.count == 2)
    }

    @Test(arguments: ["no-cache", "max-age=0"]) func `A forwarded request's error does not replace a fresh response`(
        _ directive: String
    ) async throws {
        let bench = Bench()
        let isUp = Row("yes")
        let origin = TestOrigin { _ in
            guard isUp.text == "no" else { return TestResponse("good", [.cacheControl: "max-age=60"]) }
            return TestResponse("bad", status: .internalServerError, [.cacheControl: "max-age=60"])
        }
        _ = try await bench.get(under: .gateway, from: origin)
        isUp.text = "no"
        _ = try await bench.get("/posts", [.cacheControl: directive], under: .gateway, from: origin)
        let hit = try await bench.get(under: .gateway, from: origin)
        #expect(try await hit.text == "good")
        #expect(hit.isHit)
    }

    @Test(arguments: [nil, 9]) func `Pauses double for an origin that breaks off, too`(
        _ length: Int?
    ) async throws {
        let bench = Bench()
        let isUp = Row("yes")
        let origin = TestOrigin { _ in
            if isUp.text == "yes" { return TestResponse("good") }
            return TestResponse(length: length) { sink in
                try await sink.write(ByteBuffer(string: "half"))
                throw TestFailure("broken")
            }
        }
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(600))
        _ = try await bench.get(under: policy, from: origin)
        isUp.text = "no"
        bench.clock.advance(by: .seconds(15))
        for _ in 0..<300 {
            _ = try? await bench.get(under: policy, from: origin).text
            await bench.cache.idle()
            bench.clock.advance(by: .milliseconds(100))
        }
        // The fetches are at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 25.5 seconds.
        #expect(origin.fetches.count == 1 + 7)
    }

    @Test func `A request that demands a newer response waits, whatever the soft timeout`() async throws {
        let bench = Bench()
        let gate = Gate()
        var policy = Self.policy
        policy.clientDirectives = .coalesce
        let origin = Self.failing(at: gate)
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        let client = Task { [policy] in
            try await bench.get("/posts", [.cacheControl: "max-age=0"], under: policy, from: origin).text
        }
        await gate.reached()
        #expect(bench.clock.sleeperCount == 0)
        gate.open()
        // The origin has failed by then.
        #expect(try await client.value == "good")
    }
}
