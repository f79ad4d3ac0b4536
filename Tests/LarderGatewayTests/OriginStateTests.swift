import HTTPCaching
import Larder
import LarderTestSupport
import Logging
import MetricsTestKit
import NIOConcurrencyHelpers
import TestHelpers
import Testing

@testable import LarderGateway

/// The log's messages about an origin that fails.
@Suite(.timeLimit(.minutes(5))) struct OriginStateTests {
    private static func time(_ seconds: Double) -> Timestamp {
        Timestamp(secondsSinceEpoch: 1_000).advanced(by: .seconds(seconds))
    }

    @Test func `An origin that cannot be reached is down at once, and up with its next response`() {
        var state = OriginState()
        #expect(state.answered(at: Self.time(0)) == .nothing)
        #expect(state.failed(.unreachable, at: Self.time(1)) == .logDown(unlogged: 0))
        for number in 0..<1_000 {
            #expect(state.failed(.unreachable, at: Self.time(1 + Double(number) / 200)) == .nothing)
        }
        #expect(state.failed(.unreachable, at: Self.time(11)) == .logFailure(unlogged: 1_000))
        #expect(state.isDown)
        #expect(state.answered(at: Self.time(31)) == .logUp(downFor: .seconds(30), failures: 1_002))
        #expect(state.answered(at: Self.time(32)) == .nothing)
        #expect(!state.isDown)
    }

    @Test func `An origin that does not respond is down after three failures in a row`() {
        var state = OriginState()
        #expect(state.failed(.noResponse, at: Self.time(0)) == .logFailure(unlogged: 0))
        #expect(state.failed(.noResponse, at: Self.time(1)) == .nothing)
        #expect(state.answered(at: Self.time(2)) == .nothing)
        for second in 3..<5 { #expect(state.failed(.noResponse, at: Self.time(Double(second))) == .nothing) }
        #expect(state.failed(.noResponse, at: Self.time(5)) == .logDown(unlogged: 3))
    }

    @Test func `A failure that does not concern the origin as a whole makes it neither down nor up`() {
        var state = OriginState()
        for _ in 0..<10 { _ = state.failed(.other, at: Self.time(0)) }
        #expect(!state.isDown)
        #expect(state.failed(.other, at: Self.time(10)) == .logFailure(unlogged: 9))
    }

    @Test func `An origin that goes up and down constantly is not logged constantly`() {
        var state = OriginState()
        var lines = 0
        for tenth in 0..<6_000 {
            let now = Self.time(Double(tenth) / 10)
            let action = tenth % 2 == 0 ? state.failed(.unreachable, at: now) : state.answered(at: now)
            if action != .nothing { lines += 1 }
        }
        // These are ten minutes: the burst, then at most a change and a reminder every ten seconds.
        #expect((10...130).contains(lines), "\(lines)")
    }

    @Test func `A clock that is set back does not suppress the log`() {
        var state = OriginState()
        #expect(state.failed(.unreachable, at: Self.time(1_000)) == .logDown(unlogged: 0))
        #expect(state.answered(at: Self.time(0)) != .nothing)
        #expect(state.failed(.unreachable, at: Self.time(1)) == .logDown(unlogged: 0))
    }

    @Test func `The gauge shows every origin that routes name, and no other`() throws {
        let metrics = TestMetrics()
        let watch = OriginWatch(clock: ManualClock().clock, logger: .quiet, metrics: metrics)
        let origins = try ["http://a", "http://b"].map { try #require(OriginAddress($0)) }
        func value(_ origin: OriginAddress) -> Double? {
            metrics.recorders(label: "larder_origin_available", dimensions: [("origin", "\(origin)")]).first?.lastValue
        }
        watch.setOrigins(origins)
        #expect(value(origins[0]) == 1 && value(origins[1]) == 1)
        watch.failed(origins[1], UpstreamError(.connectionRefused, "refused"))
        #expect(value(origins[1]) == 0)
        // The state of an origin that is still named does not change.
        watch.setOrigins(origins)
        #expect(value(origins[1]) == 0)
        watch.setOrigins([origins[0]])
        #expect(value(origins[0]) == 1 && value(origins[1]) == nil)
        // The last requests to the removed origin fail.
        watch.failed(origins[1], UpstreamError(.connectionRefused, "refused"))
        watch.answered(origins[1])
        #expect(value(origins[1]) == nil)
        watch.setOrigins(origins)
        #expect(value(origins[1]) == 1)
    }

    @Test func `A failing origin behind stale responses is logged once with its error, and once when it is up again`()
        async throws
    {
        let log = LogRecord()
        let time = ManualClock()
        let isUp = NIOLockedValueBox(true)
        try await ScriptedOrigin.run { connection in
            while try await connection.request() != nil {
                guard isUp.withLockedValue({ $0 }) else { return try await connection.reset() }
                try await connection.send(answer("200 OK", ["Cache-Control: max-age=1"], "page"))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, clock: time.clock, logger: log.logger) { gateway in
                #expect(try await gateway.send("GET", "/a").text == "page")
                isUp.withLockedValue { $0 = false }
                for _ in 0..<8 {
                    time.advance(by: .seconds(20))
                    for _ in 0..<10 { #expect(try await gateway.send("GET", "/a").text == "page") }
                }
                #expect(log.lines.count { $0.hasPrefix("error An origin is down") } == 1, "\(log.lines)")
                #expect(log.lines.contains { $0.contains(origin.url) && $0.contains("connection_terminated") })
                #expect(log.lines.count { $0.contains("An origin failed") } <= 8)
                isUp.withLockedValue { $0 = true }
                time.advance(by: .seconds(20))
                #expect(try await gateway.send("GET", "/a").text == "page")
                #expect(log.lines.count { $0.hasPrefix("notice An origin is up again") } == 1, "\(log.lines)")
                let metrics = try await gateway.send("GET", "/-/larder/metrics/cache")
                #expect(metrics.text.contains("\"stale\":80,"), "\(metrics.text)")
                let counts = gateway.gateway.cache.statistics.snapshot()
                #expect(counts.stale == 80 && counts.hits + counts.misses == 82)
            }
        }
    }
}
