import Foundation

/// The results of `Peers` as they are written into the documents.
struct PeersReport {
    let rounds: Int
    let speeds: [Comparison]
    let latency: Comparison
    let starts: [Contest.Starts]
    /// The machine and the versions of the programs, as rows of a table.
    let versions: [String]

    /// The section of `docs/benchmarks.md`.
    var section: String {
        """
        ## Beside other caches

        `make bench-peers` measures this section again, and writes it, the chart and the ratios of the README. Each contestant
        has one core; the client and the origin have another one. The status and the body of every contestant's answers are
        checked first, and that they come from its cache. Pairs are measured in turn, \(rounds) times.

        A ratio compares requests per CPU-second: a second of the processor time of the server, and of its Redis if it has one.
        Above 1 Larder needs less processor time. The numbers are medians, with the range of the rounds. nginx caches in files
        of a file system in memory; the others cache in memory, or in Redis where the table says so.

        ![Hits per CPU-second, as ratios](benchmarks.svg)

        | work | against | Larder, requests per CPU-second | the other | ratio | goal | reached |
        |--|--|--|--|--|--|--|
        \(speeds.map(row).joined(separator: "\n"))

        | time | Larder | nginx | goal | reached |
        |--|--|--|--|--|
        \(times.joined(separator: "\n"))

        For the 99th percentile, requests are sent on a fixed schedule at half the rate at which nginx answers at most, to both
        proxies. A request that waits for a connection is late from the moment at which it was due. The time of a start includes
        `env` and `taskset`, which run the program on its core.

        | measured with | |
        |--|--|
        \(versions.joined(separator: "\n"))
        """
    }

    private func row(_ comparison: Comparison) -> String {
        func speed(_ value: KeyPath<Comparison.Pair, Double>) -> String {
            let values = comparison.pairs.map { $0[keyPath: value] }
            return values.isEmpty ? "" : Figure.count(Figure.median(values))
        }
        let cells = [
            comparison.work, comparison.rival, speed(\.own), speed(\.rival), comparison.measured,
            comparison.goal?.text ?? "", comparison.verdict,
        ]
        return Self.line(cells)
    }

    private var times: [String] {
        func microseconds(_ value: KeyPath<Comparison.Pair, Double>) -> String {
            let values = latency.pairs.map { $0[keyPath: value] * 1e6 }
            guard let least = values.min(), let most = values.max() else { return "not measured" }
            return "\(Figure.count(Figure.median(values))) µs (\(Figure.count(least)) to \(Figure.count(most)))"
        }
        let ratio = latency.pairs.isEmpty ? "" : "ratio \(latency.measured), "
        let first = [
            latency.work, microseconds(\.own), microseconds(\.rival), ratio + (latency.goal?.text ?? ""),
            latency.verdict,
        ]
        let rest = starts.map { start in
            func milliseconds(_ value: Double) -> String { Figure.decimal(value * 1_000, 1) }
            let median = Figure.median(start.seconds)
            let range = "\(milliseconds(start.seconds.min() ?? 0)) to \(milliseconds(start.seconds.max() ?? 0))"
            return [
                "from the start of `\(start.program)` to its first answer", "\(milliseconds(median)) ms (\(range))", "",
                "< \(Figure.count(Contest.Starts.goal * 1_000)) ms", median < Contest.Starts.goal ? "yes" : "no",
            ]
        }
        return ([first] + rest).map(Self.line)
    }

    /// Returns a row of a table; an empty cell is one space.
    private static func line(_ cells: [String]) -> String {
        "|" + cells.map { $0.isEmpty ? " |" : " \($0) |" }.joined()
    }
}

// MARK: - Documents

extension PeersReport {
    /// The paragraph of the README: the ratios of small hits that have goals.
    var summary: String {
        func ratios(_ work: String) -> String {
            speeds.filter { $0.work == work && $0.goal != nil }.compactMap { comparison in
                comparison.ratio.map { "\(Figure.ratio($0))× \(comparison.rival)" }
            }
            .joined(separator: ", ")
        }
        let parts = ["the gateway": "gateway hit, 40 B", "the example API": "example API, 40 B"] as KeyValuePairs
        let texts = parts.filter { !ratios($0.value).isEmpty }.map { "\($0.key) \(ratios($0.value))" }
        return Self.wrapped("\(Self.summaryStart): \(texts.joined(separator: "; ")).")
    }

    /// The words that the README's paragraph begins with.
    static let summaryStart = "Hits of 40 B per CPU-second"

    /// Returns a text in lines of at most 120 columns.
    private static func wrapped(_ text: String) -> String {
        text.split(separator: " ").reduce(into: [String]()) { lines, word in
            if let last = lines.last, last.count + word.count < 120 {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        .joined(separator: "\n")
    }

    /// Writes the section, the chart and the paragraph.
    func write(to repository: URL) throws {
        let documents = repository.appending(path: "docs")
        try GeneratedSection("peers").write(section, into: documents.appending(path: "benchmarks.md"))
        let chart = documents.appending(path: "benchmarks.svg")
        try RatioChart(speeds.filter { $0.ratio != nil }).svg.write(to: chart, atomically: true, encoding: .utf8)
        try writeSummary(to: repository.appending(path: "README.md"))
    }

    private func writeSummary(to readme: URL) throws {
        var paragraphs = try String(contentsOf: readme, encoding: .utf8).components(separatedBy: "\n\n")
        guard let place = paragraphs.firstIndex(where: { $0.hasPrefix(Self.summaryStart) }) else {
            throw BenchmarkError(description: "README.md has no paragraph that begins with \(Self.summaryStart)")
        }
        paragraphs[place] = summary
        try paragraphs.joined(separator: "\n\n").write(to: readme, atomically: true, encoding: .utf8)
    }
}

/// A part of a document between two comments, which a benchmark writes.
struct GeneratedSection {
    private let start: String
    private let end: String

    /// Creates the section between `<!-- name:begin -->` and `<!-- name:end -->`.
    init(_ name: String) { (start, end) = ("<!-- \(name):begin -->\n", "\n<!-- \(name):end -->") }

    /// Replaces the section in a file.
    func write(_ text: String, into file: URL) throws {
        let old = try String(contentsOf: file, encoding: .utf8)
        guard let first = old.range(of: start), let last = old.range(of: end, range: first.upperBound..<old.endIndex)
        else { throw BenchmarkError(description: "\(file.lastPathComponent) has no line \(start)") }
        let new = old[..<first.upperBound] + text + old[last.lowerBound...]
        try String(new).write(to: file, atomically: true, encoding: .utf8)
    }
}
