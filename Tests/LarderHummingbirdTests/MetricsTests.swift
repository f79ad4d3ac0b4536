import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderTestSupport
import MetricsTestKit
import NIOConcurrencyHelpers
import NIOCore
import OpenMetrics
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
            #expect(counts.hits == 3 && counts.misses == 4 && counts.stale == 1)
        }
        func request(_ result: String, of route: String = "/a") -> [(String, String)] {
            [("route", route), ("result", result)]
        }
        func reason(_ reason: String, of route: String = "/a") -> [(String, String)] {
            [("route", route), ("reason", reason)]
        }
        let expected: [(String, [(String, String)], Int64)] = [
            ("larder_requests", request("hit"), 2), ("larder_requests", request("stale"), 1),
            ("larder_requests", request("miss"), 2), ("larder_requests", request("miss", of: "/secret"), 2),
            ("larder_requests", request("collapsed"), 0), ("larder_requests", request("error"), 0),
            ("larder_requests", request("bypass"), 4), ("larder_requests", request("write"), 1),
            ("larder_stale_responses", reason("stale-while-revalidate"), 1),
            ("larder_bypasses", reason("nocache"), 3), ("larder_bypasses", reason("cookie"), 1),
            ("larder_stored", [], 2), ("larder_not_stored", reason("no-store", of: "/secret"), 2),
            ("larder_invalidations", [], 2), ("larder_refresh_failures", [], 0),
            ("larder_pending_invalidations", [], 0),
        ]
        for (label, dimensions, count) in expected {
            let counter = try metrics.expectCounter(label, dimensions)
            #expect(counter.totalValue == count, "\(label) \(dimensions)")
        }
    }

    @Test func `Failed requests, waiting requests and stale responses after errors are counted apart`() async throws {
        let (clock, registry, gate) = (ManualClock(), MetricsRegistry(), Gate())
        let cache = ResponseCache(
            store: MemoryStore(limit: .mebibytes(16), clock: clock.clock),
            metrics: registry,
            clock: clock.clock
        )
        let isBroken = NIOLockedValueBox(true)
        let router = Router()
        router.group("a").cached(by: cache, CachePolicy.fresh(for: .seconds(60)).stale(ifError: .seconds(600)))
            .get { _, _ -> String in
                if isBroken.withLockedValue({ $0 }) { throw HTTPError(.serviceUnavailable) }
                await gate.pass()
                return "a"
            }
        @Sendable func count(_ result: String) -> Double? {
            registry.value("larder_requests", [("route", "/a"), ("result", result)])
        }
        try await serve(router) { port in
            _ = try await Wire.send("GET", "/a", to: port)
            #expect(count("error") == 1 && count("miss") == 0)
            isBroken.withLockedValue { $0 = false }
            async let first = Wire.send("GET", "/a", to: port)
            await gate.reached()
            async let second = Wire.send("GET", "/a", to: port)
            try await eventually("the second request waits") { cache.waiterCount == 1 }
            gate.open()
            _ = try await (first, second)
            #expect(count("miss") == 1 && count("collapsed") == 1)
            isBroken.withLockedValue { $0 = true }
            clock.advance(by: .seconds(61))
            for _ in 0..<2 { _ = try await Wire.send("GET", "/a", to: port) }
        }
        #expect(count("stale") == 2 && count("error") == 1 && count("hit") == 0)
        let reason = [("route", "/a"), ("reason", "stale-if-error")]
        #expect(registry.value("larder_stale_responses", reason) == 2)
        let times = ["hit", "miss"].map { registry.histogram("larder_time_to_first_byte_seconds", [("result", $0)]) }
        // The second stale response did not wait for the origin, which had just failed.
        #expect(times[0]?.count == 1 && times[1]?.count == 4)
    }

    @Test func `The metrics route needs the token, and answers in the format that the client accepts`() async throws {
        let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(16)), name: "Test")
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.group("api/users/:id").cached(by: cache, for: .seconds(60)).get { _, _ in "user" }
        router.addMetrics(of: cache, access: .token(try #require(BearerToken("0123456789abcdef"))))
        let right = "Authorization: Bearer 0123456789abcdef"
        try await serve(router) { port in
            for id in 1...3 { _ = try await Wire.send("GET", "/api/users/\(id)", to: port) }
            let refused = try await Wire.send("GET", "/metrics", to: port)
            #expect(refused.status == 401)
            let plain = try await Wire.send("GET", "/metrics", [right], to: port)
            #expect(plain.status == 200 && plain.fields[.contentType] == MetricsTextFormat.prometheus.contentType)
            let text = plain.text
            // The label is the template of the route, and never a path.
            #expect(text.contains("\nlarder_requests_total{result=\"miss\",route=\"/api/users/{id}\"} 3\n"))
            #expect(!text.contains("/api/users/1"))
            #expect(text.contains("\nlarder_store_entries{cache=\"Test\"} 3\n"))
            let accepting = [right, "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5"]
            let open = try await Wire.send("GET", "/metrics", accepting, to: port)
            #expect(open.fields[.contentType] == MetricsTextFormat.openMetrics.contentType)
            #expect(open.text.hasSuffix("\n# EOF\n"))
            let head = try await Wire.send("HEAD", "/metrics", [right], to: port)
            #expect(head.status == 200 && head.body.isEmpty)
        }
    }

    @Test func `Evictions and expirations are counted, and the memory that is used`() async throws {
        let clock = ManualClock()
        let store = MemoryStore(limit: .kibibytes(256), shardCount: 1, clock: clock.clock)
        let cache = ResponseCache(store: store, clock: clock.clock)
        let registry = cache.statistics.metrics
        for number in 0..<300 {
            _ = try await cache.value("v", parts: number, for: .seconds(1)) { String(repeating: "x", count: 2_000) }
        }
        await registry.collect()
        func value(_ label: String) -> Double { registry.value(label, [("cache", "Larder")]) ?? -1 }
        #expect(value("larder_evictions") > 100 && value("larder_expirations") == 0)
        #expect(value("larder_store_limit_bytes") == 262_144)
        #expect((1...262_144).contains(value("larder_store_used_bytes")))
        let stored = value("larder_store_entries")
        clock.advance(by: .seconds(2))
        _ = try await cache.value("v", parts: 1_000, for: .seconds(1)) { "y" }
        await registry.collect()
        #expect(stored > 20 && value("larder_store_entries") == 1)
    }
}
