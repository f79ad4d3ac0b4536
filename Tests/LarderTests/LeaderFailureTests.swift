import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// A request that makes the origin fail, and others that wait for its fetch.
@Suite(.timeLimit(.minutes(5))) struct LeaderFailureTests {
    /// A field that any client can send.
    private static let attack = HTTPField.Name.referer

    /// Returns the statuses that eight requests get that wait for one with the field, and the number of fetches.
    private func statuses(
        _ method: HTTPRequest.Method = .get,
        waiting count: Int = 8,
        attackers: Int = 1,
        _ answer: @escaping @Sendable (HTTPRequest) throws -> TestResponse
    ) async throws -> (statuses: [String: Int], fetches: Int) {
        let bench = Bench()
        let gate = Gate()
        let isFirst = Row("yes")
        let origin = TestOrigin { request in
            let waits = isFirst.text == "yes"
            isFirst.text = "no"
            if waits { await gate.pass() }
            return try answer(request)
        }
        return try await withThrowingTaskGroup(of: String.self) { group in
            for place in 0..<attackers {
                group.addTask {
                    await Self.status(of: method, [Self.attack: "1"], bench, origin)
                }
                if place == 0 { await gate.reached() }
                try await eventually("it waits") { bench.cache.waiterCount == place }
            }
            for _ in 0..<count {
                group.addTask {
                    await Self.status(of: method, [:], bench, origin)
                }
            }
            try await eventually("they wait") { bench.cache.waiterCount == count + attackers - 1 }
            gate.open()
            var statuses: [String: Int] = [:]
            for try await status in group { statuses[status, default: 0] += 1 }
            await bench.cache.idle()
            return (statuses, origin.fetches.count)
        }
    }

    private static func status(
        of method: HTTPRequest.Method,
        _ fields: HTTPFields,
        _ bench: Bench,
        _ origin: TestOrigin
    ) async -> String {
        var request = HTTPRequest.get("/posts", fields)
        request.method = method
        do {
            return "\(try await bench.cache.respond(to: request, under: .gateway, from: origin).head.status.code)"
        } catch {
            return "\(error)"
        }
    }

    private static func isAttack(_ request: HTTPRequest) -> Bool { request.headerFields.contains(attack) }

    @Test func `An error that the leader's own field causes reaches the leader alone`() async throws {
        let result = try await statuses { request in
            if Self.isAttack(request) { throw TestFailure("closed") }
            return TestResponse("v", [.cacheControl: "max-age=60"])
        }
        #expect(result.statuses == ["200": 8, "\(TestFailure("closed"))": 1])
        #expect(result.fetches == 2)
    }

    @Test(arguments: [HTTPRequest.Method.get, .head])
    func `A 500 that the leader's own field causes reaches the leader alone`(_ method: HTTPRequest.Method) async throws
    {
        let result = try await statuses(method) { request in
            Self.isAttack(request)
                ? TestResponse("no", status: .internalServerError, [:])
                : TestResponse("v", [.cacheControl: "max-age=60"])
        }
        #expect(result.statuses == ["200": 8, "500": 1])
        #expect(result.fetches == 2)
    }

    @Test(arguments: [HTTPRequest.Method.get, .head])
    func `A storable 431 that the leader's own field causes is neither shared nor stored while others wait`(
        _ method: HTTPRequest.Method
    ) async throws {
        let result = try await statuses(method) { request in
            Self.isAttack(request)
                ? TestResponse("no", status: .requestHeaderFieldsTooLarge, [.cacheControl: "max-age=60"])
                : TestResponse("v", [.cacheControl: "max-age=60"])
        }
        #expect(result.statuses == ["200": 8, "431": 1])
        #expect(result.fetches == 2)
    }

    @Test(arguments: [HTTPRequest.Method.get, .head])
    func `A storable 431 that every request gets is shared once two requests have got it`(
        _ method: HTTPRequest.Method
    ) async throws {
        let result = try await statuses(method) { _ in
            TestResponse("no", status: .requestHeaderFieldsTooLarge, [.cacheControl: "max-age=60"])
        }
        #expect(result.statuses == ["431": 9])
        #expect(result.fetches == 2)
    }

    @Test(arguments: [429, 408]) func `An error about the load of the origin is shared and stored at once`(
        _ status: Int
    ) async throws {
        let result = try await statuses { _ in
            TestResponse("no", status: HTTPResponse.Status(code: status), [.cacheControl: "max-age=60"])
        }
        #expect(result.statuses == ["\(status)": 9])
        #expect(result.fetches == 1)
    }

    @Test func `Of two requests that cause the error, the second does not fail the others because it waited longest`()
        async throws
    {
        var sharedFailures = 0
        for _ in 0..<10 {
            let result = try await statuses(attackers: 2) { request in
                Self.isAttack(request)
                    ? TestResponse("no", status: .internalServerError, [:])
                    : TestResponse("v", [.cacheControl: "max-age=60"])
            }
            // One of nine waiters leads after the failure, each as likely as the others.
            if result.statuses == ["500": 10] {
                sharedFailures += 1
            } else {
                #expect(result.statuses == ["200": 9, "500": 1])
            }
        }
        #expect(sharedFailures < 10)
    }

    @Test func `An origin that fails for every request is asked twice, and all requests fail`() async throws {
        let result = try await statuses { _ in TestResponse("no", status: .internalServerError, [:]) }
        #expect(result.statuses == ["500": 9])
        #expect(result.fetches == 2)
    }

    @Test func `An origin that says that it is overloaded is asked once`() async throws {
        let result = try await statuses { _ in TestResponse("no", status: .serviceUnavailable, [:]) }
        #expect(result.statuses == ["503": 9])
        #expect(result.fetches == 1)
    }
}
