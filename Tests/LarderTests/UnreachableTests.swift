import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// The responses of a gateway whose origin cannot be reached, or breaks off (RFC 9111 §4.2.4, RFC 5861 §4).
@Suite(.timeLimit(.minutes(5))) struct UnreachableTests {
    /// The way in which an origin fails after its first response.
    enum Failing: CaseIterable {
        /// It throws an error without a status.
        case throwing
        /// It sends a head and no byte of the body, whose length is declared, or not.
        case breakingOff, breakingOffChunked
        /// It ends a body before it has begun it.
        case endingEarly
    }

    private static func origin(_ failing: Failing, _ fields: HTTPFields) -> TestOrigin {
        let isUp = Row("yes")
        return TestOrigin { _ in
            defer { isUp.text = "no" }
            guard isUp.text == "no" else { return TestResponse("good", fields) }
            switch failing {
            case .throwing: throw TestFailure("down")
            case .breakingOff, .breakingOffChunked:
                return TestResponse(length: failing == .breakingOff ? 9 : nil, fields) { _ in
                    throw TestFailure("down")
                }
            case .endingEarly: return TestResponse(length: 9, fields) { _ in }
            }
        }
    }

    @Test(arguments: Failing.allCases, [HTTPRequest.Method.get, .head])
    func `A stale response is served if the origin cannot be reached`(
        _ failing: Failing,
        _ method: HTTPRequest.Method
    ) async throws {
        let bench = Bench()
        let origin = Self.origin(method == .head ? .throwing : failing, [.cacheControl: "max-age=10", .eTag: "\"x\""])
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(3_600))
        let stale = try await bench.send(method, under: .gateway, to: origin)
        #expect(stale.head.status == .ok)
        let text = try await stale.text
        #expect(text == (method == .get ? "good" : ""))
        #expect(stale.head.headerFields[.age] == "3600")
        #expect(stale.cacheStatusText.contains("fwd=stale; ttl=-3590; detail=stale-if-error"))
        bench.clock.advance(by: .seconds(86_400))
        await #expect(throws: (any Error).self) { try await bench.get(under: .gateway, from: origin).text }
    }

    @Test(
        arguments: Failing.allCases,
        ["no-cache", "must-revalidate, max-age=10", "proxy-revalidate, max-age=10", "s-maxage=10"]
    ) func `RFC 9111 4.2.4: A response that forbids stale reuse is never served stale`(
        _ failing: Failing,
        _ directives: String
    ) async throws {
        let bench = Bench()
        let origin = Self.origin(failing, [.cacheControl: directives, .eTag: "\"x\""])
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        let error = await #expect(throws: DisconnectedError.self) {
            try await bench.get(under: .gateway, from: origin).text
        }
        if failing == .throwing { #expect(error?.underlying as? TestFailure == TestFailure("down")) }
        // The response stays stored, and is served again after the origin confirms it.
        let back = TestOrigin { _ in .notModified([.eTag: "\"x\""]) }
        #expect(try await bench.get(under: .gateway, from: back).text == "good")
    }

    @Test func `RFC 9111 5.2.2.2: Waiters get the error for an origin that cannot be reached`() async throws {
        let bench = Bench()
        let gate = Gate()
        let isUp = Row("yes")
        let origin = TestOrigin { _ in
            defer { isUp.text = "no" }
            guard isUp.text == "no" else {
                return TestResponse("good", [.cacheControl: "s-maxage=10", .eTag: "\"x\""])
            }
            await gate.pass()
            throw TestFailure("down")
        }
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        let leader = Task { try await bench.get(under: .gateway, from: origin) }
        await gate.reached()
        let waiter = Task { try await bench.get(under: .gateway, from: origin) }
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        gate.open()
        for task in [leader, waiter] {
            await #expect(throws: DisconnectedError.self) { try await task.value }
        }
    }

    @Test func `An error with a status and an error of a handler are not changed`() async throws {
        let errors = [TestFailure("down"), TestFailure("bad", status: .badGateway)]
        let policies = [CachePolicy.fresh(for: .seconds(60)).stale(ifError: .seconds(60)), .gateway]
        for (error, policy) in zip(errors, policies) {
            let bench = Bench()
            let isUp = Row("yes")
            let origin = TestOrigin { _ in
                defer { isUp.text = "no" }
                guard isUp.text == "no" else {
                    return TestResponse("good", [.cacheControl: "must-revalidate, max-age=10", .eTag: "\"x\""])
                }
                throw error
            }
            _ = try await bench.get(under: policy, from: origin)
            bench.clock.advance(by: .seconds(15))
            await #expect(throws: error) { try await bench.get(under: policy, from: origin) }
        }
    }

    @Test func `A request with no-cache gets the error, and one with max-age=0 the stale response`() async throws {
        let bench = Bench()
        let origin = Self.origin(.throwing, [.cacheControl: "max-age=10"])
        _ = try await bench.get(under: .gateway, from: origin)
        await #expect(throws: TestFailure("down")) {
            try await bench.get("/posts", [.cacheControl: "no-cache"], under: .gateway, from: origin)
        }
        let stored = try await bench.get("/posts", [.cacheControl: "max-age=0"], under: .gateway, from: origin)
        #expect(try await stored.text == "good")
    }

    @Test func `An error response of a server is forwarded, unless stale-if-error allows a stale one`()
        async throws
    {
        for (directives, text) in [("max-age=10", "bad"), ("max-age=10, stale-if-error=60", "good")] {
            let bench = Bench()
            let isUp = Row("yes")
            let origin = TestOrigin { _ in
                defer { isUp.text = "no" }
                return isUp.text == "yes"
                    ? TestResponse("good", [.cacheControl: directives])
                    : TestResponse("bad", status: .badGateway)
            }
            _ = try await bench.get(under: .gateway, from: origin)
            bench.clock.advance(by: .seconds(15))
            #expect(try await bench.get(under: .gateway, from: origin).text == text)
            // The response allows it itself, and a client may allow it for itself (RFC 5861 §4).
            let fields: HTTPFields = [.cacheControl: "stale-if-error=60"]
            #expect(try await bench.get("/posts", fields, under: .gateway, from: origin).text == "good")
        }
    }

    @Test func `A response that was invalidated is not served stale either`() async throws {
        let bench = Bench()
        let origin = Self.origin(.throwing, [.cacheControl: "max-age=10"])
        _ = try await bench.get(under: .gateway, from: origin)
        _ = try await bench.send(.post, under: .gateway, to: TestOrigin { _ in TestResponse("written") })
        await #expect(throws: TestFailure("down")) { try await bench.get(under: .gateway, from: origin) }
    }

    @Test func `A body that breaks off after its beginning is not replaced`() async throws {
        let bench = Bench()
        let isUp = Row("yes")
        let origin = TestOrigin { _ in
            defer { isUp.text = "no" }
            guard isUp.text == "no" else { return TestResponse("good", [.cacheControl: "max-age=10"]) }
            return TestResponse(length: 9, [.cacheControl: "max-age=10"]) { sink in
                try await sink.write(ByteBuffer(string: "bad"))
                throw TestFailure("gone")
            }
        }
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(15))
        let cut = try await bench.get(under: .gateway, from: origin)
        await #expect(throws: TestFailure("gone")) { try await cut.text }
    }
}
