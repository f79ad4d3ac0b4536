import LarderSimulation

/// The text about the results of requests that fill a cache.
struct WarmReport {
    private let counts: WarmCounts
    private let width: Int?
    private let speed: String

    /// Creates the text.
    /// - Parameters:
    ///   - width: The width of the terminal; nil if lines are not cut.
    ///   - speed: The text after the number of URLs.
    init(_ counts: WarmCounts, width: Int?, speed: String = "") {
        self.counts = counts
        self.width = width
        self.speed = speed
    }

    /// Creates the text about the results of one answer.
    init(_ results: [WarmResult], width: Int?) {
        var counts = WarmCounts()
        for result in results { counts.add(result) }
        self.init(counts, width: width)
    }

    /// The lines of the text.
    var lines: [String] {
        let parts = [
            (counts.stored, "stored"), (counts.found, "stored before"), (counts.notStored, "not stored"),
            (counts.failed, "failed"),
        ].filter { $0.0 > 0 }.map { "\(NumberText.grouped($0.0)) \($0.1)" }
        let urls = EntryText.count(counts.total, "URL", "URLs")
        var lines = ["\(urls) requested\(speed)\(parts.isEmpty ? "" : ": ")\(parts.joined(separator: ", "))"]
        if !counts.reasons.isEmpty {
            let reasons = counts.reasons.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                .map { "\(PrintedText.escaped($0.key)) \(NumberText.grouped($0.value))" }
            lines.append("  Not stored: " + reasons.joined(separator: ", "))
        }
        for failure in counts.failures {
            let reason = [failure.status.map { "\($0)" }, failure.reason].compactMap(\.self).joined(separator: " ")
            lines.append("  Failed: " + PrintedText.escaped("\(failure.target) \(reason)"))
        }
        let rest = counts.failed - counts.failures.count
        if rest > 0 { lines.append("  Failed: \(NumberText.grouped(rest)) more, which --json names") }
        return width.map { width in lines.map { PrintedText.cut($0, to: width) } } ?? lines
    }
}

/// The counts of the results of requests that fill a cache.
struct WarmCounts {
    /// The number of failures and of reasons that are held: 10, and 100.
    private static let (failureLimit, reasonLimit) = (10, 100)

    /// The number of URLs that were requested.
    private(set) var total = 0
    /// The number of responses that were stored.
    private(set) var stored = 0
    /// The number of requests that were answered with a stored response.
    private(set) var found = 0
    /// The number of responses that were not stored.
    private(set) var notStored = 0
    /// The number of requests that failed.
    private(set) var failed = 0
    /// The first failures.
    private(set) var failures: [WarmResult] = []
    /// The reasons for which responses were not stored, with their counts.
    private(set) var reasons: [String: Int] = [:]

    /// Counts a result.
    mutating func add(_ result: WarmResult) {
        total += 1
        switch result.result {
        case "failed":
            failed += 1
            if failures.count < Self.failureLimit { failures.append(result) }
        case "hit", "stale": found += 1
        case _ where result.stored: stored += 1
        default:
            notStored += 1
            let reason = result.reason ?? result.result
            if reasons[reason] != nil || reasons.count < Self.reasonLimit { reasons[reason, default: 0] += 1 }
        }
    }
}
