import LarderSimulation

/// The text about the statistics of a cache.
struct StatisticsReport {
    /// The results of requests in the order in which they are shown.
    private static let results = ["hit", "stale", "miss", "collapsed", "bypass", "write", "error"]
    private static let nameWidth = 13

    private let statistics: Statistics
    private let width: Int?

    /// Creates the text.
    /// - Parameter width: The width of the terminal; nil if lines are not cut.
    init(_ statistics: Statistics, width: Int?) {
        self.statistics = statistics
        self.width = width
    }

    /// The lines of the text.
    var lines: [String] {
        let sections = [requests, times, store, reasons, rest, origins].filter { !$0.isEmpty }
        let lines = [title] + sections.flatMap { [""] + $0 }
        return width.map { width in lines.map { PrintedText.cut($0, to: width) } } ?? lines
    }

    // MARK: - Parts

    /// The name, version and uptime, and the window.
    var title: String {
        let name = PrintedText.escaped("\(statistics.name) \(statistics.version)")
        // Shortly after the start, the window is shorter than was asked for.
        let window = min(Double(statistics.window), statistics.seconds.rounded())
        return "\(name), up for \(Self.duration(statistics.uptime)), the last \(Self.duration(window))"
    }

    /// The hit ratio and the rate of requests.
    var summary: String {
        let ratio = statistics.hitRatio.map { NumberText.percent($0) } ?? "-"
        let total = EntryText.count(total, "request", "requests")
        return "hit ratio \(ratio), \(total), \(Self.rate(statistics.requestsPerSecond))"
    }

    private var total: Int { statistics.requests.values.reduce(0) { $0.addingReportingOverflow($1).partialValue } }

    private var requests: [String] {
        let others = statistics.requests.keys.filter { !Self.results.contains($0) }.sorted()
        var table = TextTable(
            [.text("RESULT"), .number("REQUESTS"), .number("OF ALL"), .number("PER SECOND")],
            width: width,
            indentation: "  "
        )
        let rows = (Self.results + others).compactMap { result -> [String]? in
            guard let count = statistics.requests[result] else { return nil }
            return [
                PrintedText.escaped(result), NumberText.grouped(count),
                total > 0 ? NumberText.percent(Double(count) / Double(total)) : "-",
                statistics.seconds > 0 ? Self.rate(Double(count) / statistics.seconds) : "-",
            ]
        }
        let lines = table.lines(rows)
        return [Self.line("Requests", summary), table.header] + lines
    }

    private var times: [String] {
        let kinds = [
            ("hit", statistics.times.hit), ("miss", statistics.times.miss), ("origin", statistics.times.origin),
        ]
        var table = TextTable(
            [.text("TIME OF"), .number("COUNT"), .number("MEAN"), .number("P50"), .number("P90"), .number("P99")],
            width: width,
            indentation: "  "
        )
        let rows = kinds.compactMap { name, times in
            times.map { [name, NumberText.grouped($0.count)] + Self.texts(of: $0) }
        }
        let lines = table.lines(rows)
        return rows.isEmpty ? [] : [table.header] + lines
    }

    private var store: [String] {
        guard let store = statistics.store else { return [] }
        var parts = [Self.use(of: store)]
        if store.available == false { parts = ["cannot be reached"] + parts }
        let counts = [
            ("stored", statistics.stored), ("not stored", statistics.notStored), ("evicted", statistics.evictions),
            ("invalidations", statistics.invalidations),
        ].compactMap { name, count in count.map { "\(name) \(NumberText.grouped($0))" } }
        return [Self.line("Store", parts.joined(separator: ", "))]
            + (counts.isEmpty ? [] : [Self.line("", counts.joined(separator: ", "))])
    }

    /// Returns the number of entries, and the memory that they take.
    static func use(of store: Statistics.Store) -> String {
        var parts: [String] = []
        if let entries = store.entries { parts.append(EntryText.count(entries, "entry", "entries")) }
        if let used = store.usedBytes {
            var memory = NumberText.memory(used)
            if let limit = store.limitBytes, limit > 0 {
                let part = NumberText.percent(Double(used) / Double(limit))
                memory += " of \(NumberText.memory(limit)) (\(part))"
            }
            parts.append(memory)
        }
        return parts.joined(separator: ", ")
    }

    private var reasons: [String] {
        [
            ("Not stored", statistics.reasons?.notStored), ("Bypassed", statistics.reasons?.bypasses),
            ("Stale", statistics.reasons?.stale),
        ].compactMap { name, counts in
            guard let counts, counts.values.contains(where: { $0 > 0 }) else { return nil }
            return Self.line(name, Self.text(of: counts))
        }
    }

    private var rest: [String] {
        var lines: [String] = []
        if let redis = statistics.redis { lines.append(Self.line("Redis", Self.text(of: redis))) }
        if let work = statistics.inProgress {
            let counts = [
                work.requests.map { EntryText.count($0, "request", "requests") },
                work.fetches.map { EntryText.count($0, "fetch", "fetches") }, work.waiting.map { "\($0) waiting" },
                work.connections.map { EntryText.count($0, "connection", "connections") },
                work.bodiesBytes.map { "bodies of \(NumberText.memory($0))" },
            ].compactMap(\.self)
            if !counts.isEmpty { lines.append(Self.line("In progress", counts.joined(separator: ", "))) }
        }
        if let process = statistics.process {
            let parts = [
                process.residentBytes.map { "\(NumberText.memory($0)) of memory" },
                process.cpuSeconds.map { "\(NumberText.latency($0)) of processor time" },
            ].compactMap(\.self)
            if !parts.isEmpty { lines.append(Self.line("Process", parts.joined(separator: ", "))) }
        }
        return lines
    }

    private var origins: [String] {
        guard let origins = statistics.origins, !origins.isEmpty else { return [] }
        var table = TextTable(
            [
                .text("ORIGIN", isFlexible: true), .text("STATE"), .number("REQUESTS"), .number("MEAN"),
                .number("P99"),
            ],
            width: width,
            indentation: "  "
        )
        let lines = table.lines(
            origins.map { origin in
                [
                    PrintedText.escaped(origin.origin), origin.available == false ? "down" : "up",
                    NumberText.grouped(origin.requests), origin.mean.map(NumberText.latency) ?? "-",
                    origin.p99.map(NumberText.latency) ?? "-",
                ]
            }
        )
        return [table.header] + lines
    }

    // MARK: - Texts

    private static func line(_ name: String, _ text: String) -> String {
        name + String(repeating: " ", count: max(1, nameWidth - name.count)) + text
    }

    private static func texts(of times: Statistics.Times) -> [String] {
        [times.mean, times.p50, times.p90, times.p99].map { $0.map(NumberText.latency) ?? "-" }
    }

    /// Returns the state of Redis in a phrase.
    static func text(of redis: Statistics.Redis) -> String {
        var parts = [redis.available ? "up" : "down"]
        if let trip = redis.roundTrip, let p50 = trip.p50, let p99 = trip.p99 {
            parts.append("round trip \(NumberText.latency(p50)), p99 \(NumberText.latency(p99))")
        }
        if let pending = redis.pendingInvalidations {
            parts.append("\(EntryText.count(pending, "invalidation", "invalidations")) pending")
        }
        return parts.joined(separator: ", ")
    }

    /// Returns counts with their names, the largest first.
    private static func text(of counts: [String: Int]) -> String {
        counts.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\(PrintedText.escaped($0.key)) \(NumberText.grouped($0.value))" }.joined(separator: ", ")
    }

    /// Returns a number of requests per second.
    static func rate(_ rate: Double) -> String {
        "\(NumberText.fixed(rate, places: rate < 99.95 ? 1 : 0))/s"
    }

    private static func duration(_ seconds: Double) -> String {
        NumberText.duration(.seconds(min(max(seconds, 0), 1e12)))
    }
}
