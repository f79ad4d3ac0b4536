import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// Keys whose responses were not storable lately: requests for them do not wait for one another.
@Suite(.timeLimit(.minutes(5))) struct HitForMissTests {
    private static let policy = CachePolicy.fresh(for: .seconds(5))

    /// Returns true if a second request for `/posts` waits for the fetch of a first one.
    private func coalesces(_ bench: Bench, _ fields: HTTPFields = [:]) async throws -> Bool {
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("v", fields)
        }
        async let first = bench.get(under: Self.policy, from: origin)
        await gate.reached()
        async let second = bench.get(under: Self.policy, from: origin)
        try await eventually("the second one waits, or asks the origin") {
            bench.cache.waiterCount == 1 || gate.arrivals == 2
        }
        let arrivals = gate.arrivals
        gate.open()
        _ = try await (first, second)
        await bench.cache.idle()
        return arrivals == 1
    }

    private let notStored: HTTPFields = [.cacheControl: "no-store"]

    @Test func `A key that was stored is no longer hit-for-miss`() async throws {
        let bench = Bench()
        #expect(try await coalesces(bench, notStored))
        #expect(try await !coalesces(bench, notStored))
        // The response to this request is stored.
        #expect(try await !coalesces(bench))
        #expect(await bench.cache.count() == 1)
        // The response expires while the key would still be remembered.
        bench.clock.advance(by: .seconds(6))
        #expect(try await coalesces(bench))
    }

    @Test func `A key is hit-for-miss for as long as the limit says`() async throws {
        let bench = Bench(limits: CacheLimits(uncacheableTime: .seconds(30)))
        let origin = TestOrigin { [notStored] _ in TestResponse("v", notStored) }
        _ = try await bench.get(under: .gateway, from: origin)
        bench.clock.advance(by: .seconds(30) - .nanoseconds(1))
        let before = try await bench.get("/posts", [.ifNoneMatch: "\"x\""], under: .gateway, from: origin)
        #expect(before.cacheStatusText.contains("detail=uncacheable"))
        bench.clock.advance(by: .nanoseconds(1))
        let after = try await bench.get("/posts", [.ifNoneMatch: "\"x\""], under: .gateway, from: origin)
        #expect(!after.cacheStatusText.contains("detail=uncacheable"))
    }

    @Test func `One hit-for-miss key does not affect another key`() async throws {
        let bench = Bench()
        _ = try await bench.get("/other", from: TestOrigin { [notStored] _ in TestResponse("v", notStored) })
        #expect(try await coalesces(bench))
    }
}
