import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import MetricsTestKit
import NIOCore
import TestHelpers
import Testing

@Suite(.timeLimit(.minutes(5))) struct MetricsTests {
    private struct Counts: Decodable {
        let hits: Int64
        let misses: Int64
        let stale: Int64
    }

    @Test func `The counters of swift-metrics equal those of the metrics route`() async throws {
        let (clock, metrics) = (ManualClock(), TestMetrics())
        let store = MemoryStore(limit: .mebibytes(16), clock: clock.clock)
        let cache = ResponseCache(store: store, metrics: metrics, clock: clock.clock)
        let token = "0123456789abcdef"
        let policy = CachePolicy.fresh(for: .seconds(60)).stale(whileRevalidating: .seconds(60))
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.group("a").cached(by: cache, policy).get { _, _ in "a" }.put { _, _ in "done" }
        router.group("secret").cached(by: cache, policy).get { _, _ in
            Response(status: .ok, headers: [.cacheControl: "no-store"])
        }
        router.addCacheAdministration(of: cache, access: .token(try #require(BearerToken(token))))
        try await serve(router) { port in
            let right = ["Authorization: Bearer \(token)"]
            // These are a miss, two hits, and a stale hit with its refresh.
            for _ in 0..<2 { _ = try await Wire.send("GET", "/a", to: port) }
            _ = try await Wire.send("HEAD", "/a", to: port)
            clock.advance(by: .seconds(60))
            _ = try await Wire.send("GET", "/a", to: port)
            await cache.idle()
            // These are bypasses, responses that must not be stored, and a miss with only-if-cached.
            for _ in 0..<3 { _ = try await Wire.send("GET", "/a?nocache=true", to: port) }
            _ = try await Wire.send("GET", "/a", ["Cookie: a=b"], to: port)
            for _ in 0..<2 { _ = try await Wire.send("GET", "/secret", to: port) }
            _ = try await Wire.send("GET", "/a?b", ["Cache-Control: only-if-cached"], to: port)
            // These are two invalidations.
            _ = try await Wire.send("PUT", "/a", body: "", to: port)
            _ = try await Wire.send("DELETE", "/api/invalidate/GET:/a", right, to: port)

            let answer = try await Wire.send("GET", "/metrics/cache", right, to: port)
            let counts = try JSONDecoder().decode(Counts.self, from: Data(answer.body))
            #expect(counts.hits == metrics.counterTotal(label: "larder_hits") && counts.hits == 3)
            #expect(counts.misses == metrics.counterTotal(label: "larder_misses") && counts.misses == 4)
            #expect(counts.stale == 1)
        }
        let expected: [(String, [(String, String)], Int64)] = [
            ("larder_hits", [("kind", "fresh")], 2), ("larder_hits", [("kind", "stale")], 1),
            ("larder_stale", [], 1),
            ("larder_misses", [("kind", "led")], 3), ("larder_misses", [("kind", "only-if-cached")], 1),
            ("larder_misses", [("kind", "collapsed")], 0), ("larder_misses", [("kind", "stale-on-error")], 0),
            ("larder_bypasses", [("reason", "nocache")], 3), ("larder_bypasses", [("reason", "cookie")], 1),
            ("larder_bypasses", [("reason", "method")], 0), ("larder_stored", [], 2),
            ("larder_not_stored", [("reason", "no-store")], 2), ("larder_invalidations", [], 2),
            ("larder_refresh_failures", [], 0), ("larder_pending_invalidations", [], 0),
        ]
        for (label, dimensions, count) in expected {
            let counter = try metrics.expectCounter(label, dimensions)
            #expect(counter.totalValue == count, "\(label) \(dimensions)")
        }
    }
}
