import HTTPCaching
import HTTPTypes
import Larder
import LarderTestSupport
import TestHelpers
import Testing

@testable import LarderRedis

/// Stale responses from Redis while the origin fails (RFC 5861 §4).
@Suite(.timeLimit(.minutes(10))) struct RedisStaleResponseTests {
    @Test(arguments: ["nothing", "path", "late tag", "policy's tag", "everything"])
    func `A stale response that is invalidated while a failing origin hangs is not served`(
        _ invalidated: String
    ) async throws {
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis) { stores in
                let clock = ManualClock(now: WallClock.system.now)
                let cache = ResponseCache(store: stores[0], clock: clock.clock)
                let gate = Gate()
                let isUp = Row("yes")
                let origin = TestOrigin { _ in
                    defer { isUp.text = "no" }
                    guard isUp.text == "no" else { return TestResponse("good", [.cacheTagForTests: "late"]) }
                    await gate.pass()
                    throw TestFailure("down", status: .serviceUnavailable)
                }
                let policy = CachePolicy.fresh(for: .seconds(10)).stale(ifError: .seconds(600)).tagged("policy")
                    .readingTags
                _ = try await cache.respond(to: .get("/posts"), under: policy, from: origin)
                clock.advance(by: .seconds(15))
                let client = Task { try await cache.respond(to: .get("/posts"), under: policy, from: origin) }
                await gate.reached()
                // Another process writes meanwhile.
                let peer = ResponseCache(store: stores[1])
                switch invalidated {
                case "path": #expect(await peer.invalidate(.path("/posts")) == .acknowledged)
                case "late tag": #expect(await peer.invalidate(.tag("late")) == .acknowledged)
                case "policy's tag": #expect(await peer.invalidate(.tag("policy")) == .acknowledged)
                case "everything": #expect(await peer.invalidate(.everything) == .acknowledged)
                default: #expect(await peer.invalidate(.path("/other")) == .acknowledged)
                }
                gate.open()
                if invalidated == "nothing" {
                    #expect(try await client.value.text == "good")
                } else {
                    await #expect(throws: TestFailure.self) { try await client.value }
                }
            }
        }
    }
}
