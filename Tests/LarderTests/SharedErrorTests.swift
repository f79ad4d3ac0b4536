import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import NIOCore
import TestHelpers
import Testing

/// Errors of the server that are not stored, but are shared with waiters.
@Suite(.timeLimit(.minutes(5))) struct SharedErrorTests {
    /// Returns the number of fetches for two requests that arrive at the same time.
    private func fetches(
        of response: TestResponse,
        under policy: CachePolicy
    ) async throws -> Int {
        let bench = Bench()
        let (gate, others) = (Gate(), Gate())
        let isFirst = Row("yes")
        let origin = TestOrigin { _ in
            defer { isFirst.text = "no" }
            if isFirst.text == "yes" { await gate.pass() } else { await others.pass() }
            return response
        }
        others.open()
        async let leader = bench.get(under: policy, from: origin)
        await gate.reached()
        async let waiter = bench.get(under: policy, from: origin)
        try await eventually("it waits") { bench.cache.waiterCount == 1 }
        gate.open()
        for response in try await [leader, waiter] { #expect(response.head.status == .serviceUnavailable) }
        await bench.cache.idle()
        return origin.fetches.count
    }

    private static func unavailable(_ fields: HTTPFields, bytes: Int = 4) -> TestResponse {
        TestResponse(String(repeating: "x", count: bytes), status: .serviceUnavailable, fields)
    }

    private static let policies = [
        CachePolicy.gateway.limitingBodies(to: .bytes(10)),
        CachePolicy.fresh(for: .seconds(60)).limitingBodies(to: .bytes(10)),
    ]

    @Test(arguments: policies.indices) func `An error is shared if its body is no larger than the limit`(
        _ place: Int
    ) async throws {
        for (bytes, count) in [(0, 1), (10, 1), (11, 2)] {
            let response = Self.unavailable([:], bytes: bytes)
            #expect(try await fetches(of: response, under: Self.policies[place]) == count, "\(bytes) bytes")
        }
    }

    @Test(arguments: policies.indices) func `RFC 9111 5.2.2.4: An error is not shared if it forbids that`(
        _ place: Int
    ) async throws {
        let forbidden: [HTTPFields] = [
            [.cacheControl: "no-store"], [.cacheControl: "private"], [.cacheControl: "no-cache"], [.vary: "*"],
            [.cacheControl: "no-cache", .eTag: "\"x\""], [.cacheControl: "no-cache, max-age=9", .eTag: "\"x\""],
            [.setCookie: "a=1"],
        ]
        for fields in forbidden {
            #expect(try await fetches(of: Self.unavailable(fields), under: Self.policies[place]) == 2, "\(fields)")
        }
        for fields in [[.eTag: "\"x\""], [.retryAfter: "9"], [.vary: "Accept"]] as [HTTPFields] {
            #expect(try await fetches(of: Self.unavailable(fields), under: Self.policies[place]) == 1, "\(fields)")
        }
    }

    @Test(arguments: [0, 7]) func `RFC 9111 5.1: The client whose request was forwarded gets the response's own age`(
        _ age: Int
    ) async throws {
        let bench = Bench()
        let origin = TestOrigin { _ in TestResponse("v", [.cacheControl: "max-age=60", .age: "\(age)"]) }
        let first = try await bench.get(under: .gateway, from: origin)
        #expect(first.head.headerFields[.age] == (age > 0 ? "\(age)" : nil))
        bench.clock.advance(by: .seconds(3))
        let hit = try await bench.get(under: .gateway, from: origin)
        #expect(hit.head.headerFields[.age] == "\(age + 3)")
    }
}
