import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// The number of requests to slow and failing origins, however many clients there are.
@Suite(.timeLimit(.minutes(5))) struct StampedeTests {
    /// Starts clients of one key, and returns the response of each, or the error that it got.
    private static func crowd(
        of count: Int,
        _ fields: HTTPFields = [:],
        under policy: CachePolicy,
        _ bench: Bench,
        _ origin: TestOrigin
    ) -> Task<[String], Never> {
        Task {
            await withTaskGroup(of: String.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        do { return try await bench.get("/posts", fields, under: policy, from: origin).text } catch {
                            return "\(error)"
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
        }
    }

    @Test(arguments: [CachePolicy.gateway, .fresh(for: .seconds(60))])
    func `An origin that takes longer than the coalescing timeout is asked once per timeout`(
        _ policy: CachePolicy
    ) async throws {
        let bench = Bench()
        let gates = [Gate(), Gate(), Gate()]
        let calls = Row("")
        let origin = TestOrigin { _ in
            let call = calls.text.count
            calls.text += "x"
            await gates[min(call, 2)].pass()
            return TestResponse("answer \(call)", [.cacheControl: "max-age=60"])
        }
        let crowd = Self.crowd(of: 60, under: policy, bench, origin)
        try await eventually("59 wait") { bench.cache.waiterCount == 59 && bench.clock.sleeperCount == 1 }
        bench.clock.advance(by: .seconds(5))
        await gates[1].reached()
        try await eventually("the next timeout runs") { bench.clock.sleeperCount == 1 }
        bench.clock.advance(by: .seconds(4))
        #expect(origin.fetches.count == 2)
        bench.clock.advance(by: .seconds(1))
        await gates[2].reached()
        #expect(bench.cache.waiterCount == 57)
        // The first fetch is over after twelve seconds, and answers all requests, even those that lead another fetch.
        gates[0].open()
        let answers = await crowd.value
        #expect(answers == Array(repeating: "answer 0", count: 60))
        #expect(origin.fetches.count == 3)
        for gate in gates { gate.open() }
        await bench.cache.idle()
    }

    @Test(
        arguments: [CachePolicy.gateway, .fresh(for: .seconds(60))],
        ["returned", "thrown", "thrown without status"]
    )
    func `A failure of the origin is shared with all waiters`(
        _ policy: CachePolicy,
        _ way: String
    ) async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            switch way {
            case "returned": return TestResponse("down", status: .serviceUnavailable)
            case "thrown": throw TestFailure("down", status: .serviceUnavailable)
            default: throw TestFailure("down")
            }
        }
        let crowd = Self.crowd(of: 50, under: policy, bench, origin)
        try await eventually("49 wait") { bench.cache.waiterCount == 49 }
        gate.open()
        #expect(await crowd.value.allSatisfy { $0.contains("down") })
        // A failure that may be due to the first request is shared once a second request has met it.
        #expect(origin.fetches.count == (way == "thrown without status" ? 2 : 1))
        #expect(await bench.cache.count() == 0)
    }

    @Test(arguments: ["no-store", "private", "no-cache"])
    func `A failure that forbids sharing is not shared, and the key is fetched in steps`(
        _ directive: String
    ) async throws {
        let bench = Bench()
        let first = Gate()
        let calls = Row("")
        let origin = TestOrigin { _ in
            calls.text += "x"
            if calls.text.count == 1 { await first.pass() }
            return TestResponse("down \(calls.text.count)", status: .serviceUnavailable, [.cacheControl: directive])
        }
        let crowd = Self.crowd(of: 8, under: .gateway, bench, origin)
        try await eventually("seven wait") { bench.cache.waiterCount == 7 }
        first.open()
        #expect(await crowd.value.count == 8)
        #expect(origin.fetches.count == 8)
    }

    @Test func `Waiters that cannot get the leader's response fetch in steps, not all at once`() async throws {
        let bench = Bench()
        let gates = [Gate(), Gate(), Gate(), Gate()]
        let calls = Row("")
        // The first two responses are not for other requests, because of the leader's own; then one can be stored.
        let origin = TestOrigin { _ in
            let call = calls.text.count
            calls.text += "x"
            await gates[[0, 1, 2, 2][min(call, 3)]].pass()
            if call < 2 { throw TestFailure("not acceptable", status: .init(code: 406)) }
            return TestResponse("good")
        }
        let policy = CachePolicy.fresh(for: .seconds(60))
        let crowd = Self.crowd(of: 20, under: policy, bench, origin)
        try await eventually("19 wait") { bench.cache.waiterCount == 19 }
        gates[0].open()
        await gates[1].reached()
        #expect(origin.fetches.count == 2 && bench.cache.waiterCount == 18)
        gates[1].open()
        await gates[2].reached(by: 2)
        #expect(origin.fetches.count == 4 && bench.cache.waiterCount == 16)
        gates[2].open()
        let answers = await crowd.value
        #expect(answers.count { $0 == "good" } == 18)
        #expect(origin.fetches.count == 4)
    }

    @Test(arguments: [400, 401, 403, 404, 406, 429])
    func `An error due to one request is not shared`(_ code: Int) async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { request in
            guard request.headerFields[.userAgent] == "odd" else { return TestResponse("good") }
            await gate.pass()
            throw TestFailure("odd", status: .init(code: code))
        }
        let leader = Task { try await bench.get("/posts", [.userAgent: "odd"], from: origin) }
        await gate.reached()
        let crowd = Self.crowd(of: 10, under: .fresh(for: .seconds(60)), bench, origin)
        try await eventually("ten wait") { bench.cache.waiterCount == 10 }
        gate.open()
        await #expect(throws: TestFailure.self) { try await leader.value }
        #expect(await crowd.value == Array(repeating: "good", count: 10))
        #expect(origin.fetches.count == 2)
    }

    @Test func `A request with no-store does not lead, and may get the response of another fetch`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v", [.cacheControl: "max-age=60"])
        }
        let first = Self.crowd(of: 3, [.cacheControl: "no-store"], under: .gateway, bench, origin)
        await gate.reached(by: 3)
        async let other = bench.get(under: .gateway, from: origin)
        await gate.reached(by: 4)
        let second = Self.crowd(of: 5, [.cacheControl: "no-store"], under: .gateway, bench, origin)
        try await eventually("five wait") { bench.cache.waiterCount == 5 }
        gate.open()
        let answers = await first.value + second.value
        #expect(answers == Array(repeating: "v", count: 8))
        #expect(try await other.cacheStatusText.contains("stored"))
        #expect(origin.fetches.count == 4)
    }

    @Test func `A failure is shared around a whole application, too`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("down", status: .serviceUnavailable)
        }
        let crowd = Self.crowd(of: 60, under: .whatIsPublic, bench, origin)
        try await eventually("59 wait") { bench.cache.waiterCount == 59 }
        gate.open()
        #expect(await crowd.value == Array(repeating: "down", count: 60))
        #expect(origin.fetches.count == 1)
    }

    @Test func `An error page for a cookie is not shared with other clients`() async throws {
        let bench = Bench()
        let gate = Gate()
        let origin = TestOrigin { request in
            await gate.pass()
            return TestResponse("dear \(request.headerFields[.cookie] ?? "")", status: .internalServerError)
        }
        let clients = ["anna", "bob", "carol"].map { name in
            Task { try await bench.get("/posts", [.cookie: name], under: .gateway, from: origin).text }
        }
        try await eventually("two wait") { bench.cache.waiterCount == 2 }
        gate.open()
        var texts: [String] = []
        for client in clients { texts.append(try await client.value) }
        #expect(texts == ["dear anna", "dear bob", "dear carol"])
    }

    @Test func `The first leader gets the result of a later flight`() async throws {
        let bench = Bench()
        let hung = Gate()
        let calls = Row("")
        let origin = TestOrigin { _ in
            calls.text += "x"
            if calls.text.count == 1 { await hung.pass() }
            return TestResponse("answer \(calls.text.count)")
        }
        async let leader = bench.get(from: origin)
        await hung.reached()
        async let waiter = bench.get(from: origin)
        try await eventually("it waits, and its timeout runs") {
            bench.cache.waiterCount == 1 && bench.clock.sleeperCount == 1
        }
        bench.clock.advance(by: .seconds(5))
        let texts = try await [waiter.text, leader.text]
        #expect(texts == ["answer 2", "answer 2"])
        hung.open()
    }

    @Test func `Unrelated writes do not keep requests from sharing a fetch`() async throws {
        let bench = Bench()
        let policy = CachePolicy.fresh(for: .seconds(10))
        let gate = Gate()
        let origin = TestOrigin { request in
            if request.path == "/posts", bench.clock.now > Timestamp(secondsSinceEpoch: 1_800_000_000) {
                await gate.pass()
            }
            return TestResponse("v")
        }
        _ = try await bench.get(under: policy, from: origin)
        bench.clock.advance(by: .seconds(15))
        async let first = bench.get(under: policy, from: origin)
        await gate.reached()
        for waiting in 1...5 {
            _ = try await bench.send(.put, "/other", under: policy, to: origin)
            Task { try await bench.get(under: policy, from: origin) }
            try await eventually("it waits") { bench.cache.waiterCount == waiting }
        }
        gate.open()
        _ = try await first
        await bench.cache.idle()
        #expect(origin.fetches.count == 2)
    }
}
