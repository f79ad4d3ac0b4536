/// The kind of a metric.
enum MetricKind: Hashable {
    case counter
    case gauge
    /// A histogram of numbers.
    case histogram
    /// A histogram of seconds, which are recorded as nanoseconds.
    case timer

    var isHistogram: Bool { self == .histogram || self == .timer }

    /// The name of the kind in the text.
    var name: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram, .timer: "histogram"
        }
    }
}

/// The help text of a metric, and the bounds of its histogram.
public struct MetricDescription: Sendable {
    /// The label of the metric in swift-metrics, such as `larder_requests`.
    public let label: String
    /// The help text: one sentence.
    public let help: String
    /// The upper bounds of the buckets, in seconds for a timer; nil for the bounds of times.
    public let bounds: [Double]?

    /// Creates a description.
    /// - Parameters:
    ///   - label: The label of the metric in swift-metrics.
    ///   - help: The help text: one sentence.
    ///   - bounds: The upper bounds of the buckets, in seconds for a timer, the lowest first; nil for bounds between
    ///     10 µs and 10 s.
    public init(_ label: String, _ help: String, bounds: [Double]? = nil) {
        self.label = label
        self.help = help
        self.bounds = bounds
    }
}

/// The series of one metric, by their labels.
struct MetricFamily {
    let name: String
    /// The label of the metric in swift-metrics.
    let label: String
    let kind: MetricKind
    let help: String?
    let bounds: [Double]
    /// The series by their labels as text, such as `route="/",result="hit"`.
    var series: [String: LabelledSeries] = [:]

    /// The recorded numbers per unit of the text: timers record nanoseconds, and the text has seconds.
    var scale: Double { kind == .timer ? 1e9 : 1 }

    /// The upper bounds of the buckets of times: 10 µs to 10 s.
    static let times = [
        0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
        2.5, 5, 10,
    ]

    init(name: String, label: String, _ kind: MetricKind, _ description: MetricDescription?) {
        self.name = name
        self.label = label
        self.kind = kind
        self.help = description?.help
        self.bounds = description?.bounds ?? Self.times
    }
}

/// A series with the dimensions that it was created with.
struct LabelledSeries {
    let dimensions: [String: String]
    let values: MetricSeries
}

/// A series of a metric at one moment.
public struct MetricSample: Sendable {
    /// The dimensions of the series.
    public let dimensions: [String: String]
    /// The value of a counter or gauge; nil for a histogram.
    public let value: Double?
    /// The counts of a histogram; nil for a counter or gauge.
    public let histogram: HistogramSnapshot?

    init(_ series: LabelledSeries) {
        dimensions = series.dimensions
        switch series.values {
        case .number(let number): (value, histogram) = (number.value, nil)
        case .histogram(let counts): (value, histogram) = (nil, counts.snapshot)
        }
    }
}

/// The values of one series of a metric.
enum MetricSeries {
    /// A counter or gauge.
    case number(Number)
    case histogram(Histogram)
}

/// The names that OpenMetrics allows.
enum MetricName {
    /// Returns the name of a metric family: the label with `_` for every character that is not allowed, without the
    /// suffix that belongs to the samples of a counter, and with the unit of a timer.
    static func family(_ label: String, _ kind: MetricKind) -> String {
        var name = allowed(label, colons: true)
        if kind == .counter, name.hasSuffix("_total") { name.removeLast("_total".count) }
        if kind == .timer, !name.hasSuffix("_seconds") { name += "_seconds" }
        return name
    }

    /// Returns labels as text, ordered by name: `result="hit",route="/"`. The first of two labels with one name counts.
    static func labels(_ dimensions: [(String, String)]) -> String {
        guard !dimensions.isEmpty else { return "" }
        let labels = dimensions.map { (allowed($0.0, colons: false), $0.1) }
        var text = ""
        var last: String?
        for (name, value) in labels.sorted(by: { $0.0 < $1.0 }) where name != last {
            if last != nil { text += "," }
            text += "\(name)=\"\(escaped(value))\""
            last = name
        }
        return text
    }

    /// Returns a text, escaped so that it stays within its quotes and its line.
    static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private static func allowed(_ name: String, colons: Bool) -> String {
        var allowed = ""
        for byte in name.utf8 {
            let isAllowed =
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): !allowed.isEmpty
                case UInt8(ascii: ":"): colons
                default: false
                }
            allowed.unicodeScalars.append(isAllowed ? Unicode.Scalar(byte) : "_")
        }
        return allowed.isEmpty ? "_" : allowed
    }
}
