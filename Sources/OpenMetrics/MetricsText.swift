/// A format of metrics as text.
public enum MetricsTextFormat: Sendable, CaseIterable {
    /// OpenMetrics 1.0, which Prometheus reads since version 2.5.
    case openMetrics
    /// The text format of Prometheus, version 0.0.4.
    case prometheus

    /// The media type of the format, with its version.
    public var contentType: String {
        switch self {
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        }
    }

    /// Returns the format for a client: OpenMetrics if its `Accept` names it, otherwise the text format of Prometheus,
    /// which people and all tools can read.
    /// - Parameter accept: The value of `Accept`; nil if the request has none.
    public static func accepted(by accept: String?) -> MetricsTextFormat {
        accept?.lowercased().contains("application/openmetrics-text") == true ? .openMetrics : .prometheus
    }
}

/// A writer of metrics as text.
struct MetricsTextWriter {
    let format: MetricsTextFormat
    private var text = ""

    init(format: MetricsTextFormat) { self.format = format }

    mutating func write(_ family: MetricFamily) {
        guard !family.series.isEmpty else { return }
        // In the text format of Prometheus, the suffix belongs to the name of a counter.
        let isCounter = family.kind == .counter
        let sample = isCounter ? family.name + "_total" : family.name
        writeHead(format == .openMetrics ? family.name : sample, family.kind.name, family.help)
        for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
            switch series.values {
            case .number(let number): writeSample(sample, labels, number.value)
            case .histogram(let histogram): write(histogram.snapshot, family.name, labels)
            }
        }
    }

    mutating func writeRefusedSeries(_ count: Int) {
        let name = "openmetrics_refused_series"
        writeHead(name, "gauge", "The number of times that a series was not held, because there are too many.")
        writeSample(name, "", Double(count))
    }

    /// Returns the text with its end.
    mutating func finish() -> String {
        if format == .openMetrics { text += "# EOF\n" }
        return text
    }

    private mutating func writeHead(_ name: String, _ kind: String, _ help: String?) {
        if let help { text += "# HELP \(name) \(MetricName.escaped(help))\n" }
        text += "# TYPE \(name) \(kind)\n"
        if format == .openMetrics, let unit = Self.unit(name) { text += "# UNIT \(name) \(unit)\n" }
    }

    private mutating func write(_ histogram: HistogramSnapshot, _ name: String, _ labels: String) {
        var count = 0
        let others = labels.isEmpty ? "" : labels + ","
        for (place, number) in histogram.counts.enumerated() {
            count += number
            let bound = place < histogram.bounds.count ? Self.number(histogram.bounds[place], isFloat: true) : "+Inf"
            writeSample(name + "_bucket", "\(others)le=\"\(bound)\"", Double(count))
        }
        writeSample(name + "_count", labels, Double(count))
        writeSample(name + "_sum", labels, histogram.sum)
    }

    private mutating func writeSample(_ name: String, _ labels: String, _ value: Double) {
        text += labels.isEmpty ? "\(name) \(Self.number(value))\n" : "\(name){\(labels)} \(Self.number(value))\n"
    }

    /// Returns the unit that a name ends with; nil if it does not end with one.
    private static func unit(_ name: String) -> String? {
        ["seconds", "bytes"].first { name.hasSuffix("_" + $0) }
    }

    /// Returns a number: a whole number without a fraction, unless it is to be a float.
    private static func number(_ value: Double, isFloat: Bool = false) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if !isFloat, value == value.rounded(), abs(value) < 9e15 { return "\(Int64(value))" }
        return "\(value)"
    }
}
