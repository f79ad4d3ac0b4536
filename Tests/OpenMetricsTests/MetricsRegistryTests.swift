import CoreMetrics
import OpenMetrics
import Testing

@Suite(.timeLimit(.minutes(5))) struct MetricsRegistryTests {
    private static func text(_ format: MetricsTextFormat = .openMetrics, _ fill: (MetricsRegistry) -> Void) -> String {
        let registry = MetricsRegistry()
        fill(registry)
        return registry.text(format)
    }

    @Test func `A counter is written with its help, its labels in order and the suffix of a counter`() {
        let text = Self.text { registry in
            registry.describe([MetricDescription("larder_requests", "Requests.")])
            let dimensions = [("route", "/api"), ("result", "hit")]
            Counter(label: "larder_requests", dimensions: dimensions, factory: registry).increment(by: 3)
        }
        #expect(
            text == """
                # HELP larder_requests Requests.
                # TYPE larder_requests counter
                larder_requests_total{result="hit",route="/api"} 3
                # EOF

                """
        )
    }

    @Test func `In the format of Prometheus the suffix belongs to the name of a counter, and there is no end`() {
        let text = Self.text(.prometheus) { registry in
            Counter(label: "requests_total", factory: registry).increment()
        }
        #expect(text == "# TYPE requests_total counter\nrequests_total 1\n")
    }

    @Test func `Labels are escaped, and names have only characters that are allowed`() {
        let text = Self.text { registry in
            Gauge(label: "9 lives.left", dimensions: [("a-b", "x\"y\\z\nw")], factory: registry).record(-1.5)
        }
        #expect(text.contains("\n__lives_left{a_b=\"x\\\"y\\\\z\\nw\"} -1.5\n"))
    }

    @Test func `A timer is a histogram of seconds with cumulative buckets`() {
        let text = Self.text { registry in
            registry.describe([MetricDescription("wait", "Waits.", bounds: [0.001, 0.1])])
            let timer = Timer(label: "wait", factory: registry)
            for nanoseconds in [1_000, 1_000_000, 1_000_001, 2_000_000_000] { timer.recordNanoseconds(nanoseconds) }
        }
        #expect(
            text == """
                # HELP wait_seconds Waits.
                # TYPE wait_seconds histogram
                # UNIT wait_seconds seconds
                wait_seconds_bucket{le="0.001"} 2
                wait_seconds_bucket{le="0.1"} 3
                wait_seconds_bucket{le="+Inf"} 4
                wait_seconds_count 4
                wait_seconds_sum 2.002001001
                # EOF

                """
        )
    }

    @Test func `A recorder that aggregates is a histogram, and one that does not is a gauge`() {
        let registry = MetricsRegistry()
        Recorder(label: "sizes", aggregate: true, factory: registry).record(0.3)
        Recorder(label: "size", aggregate: false, factory: registry).record(7)
        Meter(label: "level", factory: registry).increment(by: 2.5)
        #expect(registry.histogram("sizes")?.count == 1 && registry.histogram("sizes")?.sum == 0.3)
        #expect(registry.value("size") == 7 && registry.value("level") == 2.5)
        #expect(registry.value("sizes") == nil && registry.histogram("size") == nil)
    }

    @Test func `Objects of one label and the same dimensions share a series`() {
        let registry = MetricsRegistry()
        Counter(label: "a", dimensions: [("x", "1"), ("y", "2")], factory: registry).increment()
        Counter(label: "a", dimensions: [("y", "2"), ("x", "1")], factory: registry).increment(by: 2)
        FloatingPointCounter(label: "a", dimensions: [("x", "2")], factory: registry).increment(by: 0.5)
        #expect(registry.value("a", [("y", "2"), ("x", "1")]) == 3)
        #expect(registry.value("a", [("x", "2")]) == 0.5)
    }

    @Test func `Series beyond the limit, or of another kind, are not held, and that is reported`() {
        let registry = MetricsRegistry(seriesLimit: 2)
        for number in 0..<5 {
            Counter(label: "a", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        Gauge(label: "a", factory: registry).record(1)
        #expect(registry.value("a", [("n", "1")]) == 1 && registry.value("a", [("n", "2")]) == nil)
        #expect(registry.text().contains("\nopenmetrics_refused_series 4\n"))
    }

    @Test func `A destroyed series is removed, and makes room`() {
        let registry = MetricsRegistry(seriesLimit: 1)
        let gauge = Gauge(label: "a", dimensions: [("n", "1")], factory: registry)
        gauge.record(1)
        gauge.destroy()
        #expect(registry.text() == "# EOF\n")
        Gauge(label: "a", dimensions: [("n", "2")], factory: registry).record(2)
        #expect(registry.value("a", [("n", "2")]) == 2)
    }

    @Test func `Another backend gets the same metrics`() {
        let other = MetricsRegistry()
        let registry = MetricsRegistry(forwardingTo: other, seriesLimit: 1)
        Counter(label: "a", factory: registry).increment()
        Timer(label: "b", factory: registry).recordNanoseconds(5)
        Gauge(label: "c", factory: registry).record(4)
        #expect(other.value("a") == 1 && other.histogram("b_seconds") == nil && other.histogram("b")?.count == 1)
        #expect(other.value("c") == 4 && registry.value("c") == nil)
    }

    @Test func `Collectors record gauges when they are asked to`() async {
        let registry = MetricsRegistry()
        let gauge = Gauge(label: "now", factory: registry)
        registry.addCollector { gauge.record(9) }
        #expect(registry.value("now") == 0)
        await registry.collect()
        #expect(registry.value("now") == 9)
    }

    @Test(arguments: [
        (0.5, 0.001), (0.99, 0.0099), (1.0, 0.01), (0.0, 0.0),
    ]) func `Quantiles are interpolated within their bucket`(part: Double, expected: Double) throws {
        let snapshot = HistogramSnapshot(bounds: [0.001, 0.01], counts: [50, 50, 0], sum: 1)
        let quantile = try #require(snapshot.quantile(part))
        #expect(abs(quantile - expected) < 0.0002)
    }

    @Test func `Counts since an earlier moment leave out what was there`() {
        let earlier = HistogramSnapshot(bounds: [1], counts: [2, 1], sum: 4)
        let later = HistogramSnapshot(bounds: [1], counts: [5, 1], sum: 6).since(earlier)
        #expect(later.counts == [3, 0] && later.sum == 2 && later.count == 3)
        #expect(HistogramSnapshot(bounds: [1], counts: [0, 0], sum: 0).quantile(0.5) == nil)
    }

    @Test(arguments: [
        (nil, MetricsTextFormat.prometheus), ("*/*", .prometheus), ("text/plain;version=0.0.4", .prometheus),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", .openMetrics),
    ]) func `The format depends on what the client accepts`(accept: String?, format: MetricsTextFormat) {
        #expect(MetricsTextFormat.accepted(by: accept) == format)
    }
}
