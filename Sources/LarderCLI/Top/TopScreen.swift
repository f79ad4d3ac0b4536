import ArgumentParser
import LarderSimulation

/// What `larder top` lists.
enum TopKind: String, CaseIterable, ExpressibleByArgument {
    case keys
    case routes
    case tags
    case origins
}

/// The count by which `larder top` orders its rows.
enum TopOrder: String, CaseIterable, ExpressibleByArgument {
    case requests
    case misses
    case bytes
    case originTime = "origin-time"

    /// The key that chooses the order.
    var key: Character {
        switch self {
        case .requests: "r"
        case .misses: "m"
        case .bytes: "b"
        case .originTime: "o"
        }
    }
}

/// What `larder top` shows: the state of its screen, which keys and answers change.
struct TopScreen {
    /// A line of the screen.
    struct Line: Equatable {
        var text: String
        /// True for a line in reversed colors.
        var isReversed = false
    }

    /// What follows from a key.
    enum Action: Equatable {
        case nothing
        case fetch
        case quit
    }

    /// The answers of the API at one time.
    struct Answers {
        var statistics: Statistics
        var top: TopAnswer
        /// A message about the order, if it is another one than was asked for.
        var note: String?
    }

    /// The number of lines beside those of the rows.
    private static let fixedLines = 9
    /// The largest number of rows that the API returns.
    private static let rowLimit = 100

    /// The address of the API, for the title.
    let address: String
    private(set) var kind: TopKind
    private(set) var order: TopOrder
    private var answers: Answers?
    private var message: String?

    init(address: String, kind: TopKind, order: TopOrder) {
        self.address = PrintedText.escaped(address)
        self.kind = kind
        self.order = order
    }

    /// Returns the number of rows that a terminal has room for.
    static func rows(onTerminalWith lines: Int) -> Int { min(max(lines - fixedLines, 1), rowLimit) }

    // MARK: - Changes

    /// Changes the state by the bytes that a terminal sends for keys.
    mutating func press(_ bytes: [UInt8]) -> Action {
        var (action, rest) = (Action.nothing, bytes[...])
        while let byte = rest.popFirst() {
            if byte == 0x1B {
                // Keys such as the arrows send a sequence: ESC [ … and a letter. ESC [ Z is tab with shift.
                guard rest.first == UInt8(ascii: "[") || rest.first == UInt8(ascii: "O") else { continue }
                let end = rest.dropFirst().firstIndex { (0x40...0x7E).contains($0) }
                let isBack = end.map { rest[$0] == UInt8(ascii: "Z") } ?? false
                rest = end.map { rest[($0 + 1)...] } ?? []
                if isBack { action = choose(kind, offset: -1) }
                continue
            }
            switch Character(Unicode.Scalar(byte)) {
            case "q", "Q", "\u{3}", "\u{4}": return .quit
            case "\t": action = choose(kind, offset: 1)
            case " ": action = .fetch
            case let key:
                if let digit = key.wholeNumberValue, (1...TopKind.allCases.count).contains(digit) {
                    action = choose(TopKind.allCases[digit - 1], offset: 0)
                } else if let order = TopOrder.allCases.first(where: { String($0.key) == key.lowercased() }) {
                    self.order = order
                    action = .fetch
                }
            }
        }
        return action
    }

    private mutating func choose(_ kind: TopKind, offset: Int) -> Action {
        let all = TopKind.allCases
        let place = all.firstIndex(of: kind) ?? 0
        self.kind = all[(place + offset + all.count) % all.count]
        return .fetch
    }

    /// Shows answers. Those about what is not asked for any more are not shown.
    mutating func show(_ answers: Answers) {
        guard answers.top.of == kind.rawValue else { return }
        self.answers = answers
        message = answers.note
        if let order = TopOrder(rawValue: answers.top.by) { self.order = order }
    }

    /// Shows why there is no new answer, above the last one.
    mutating func show(failure: String) { message = failure }

    // MARK: - Lines

    /// Returns the lines of the screen for a terminal.
    func lines(columns: Int, rows: Int) -> [Line] {
        var lines = (Self.header(answers?.statistics, address: address)).map { Line(text: $0) }
        lines.append(Line(text: ""))
        lines.append(Line(text: choice))
        lines.append(Line(text: message ?? ""))
        let table = answers.map { $0.top.of == kind.rawValue ? Self.table($0.top, width: columns) : [] } ?? []
        lines += table.enumerated().map { Line(text: $1, isReversed: $0 == 0) }
        let last = Line(text: "q quit   tab or 1-4 keys, routes, tags, origins   space refresh")
        lines = Array(lines.prefix(max(0, rows - 1)))
        lines += Array(repeating: Line(text: ""), count: max(0, rows - 1 - lines.count))
        lines.append(last)
        return lines.suffix(max(1, rows)).map { line in
            let text = PrintedText.cut(line.text, to: columns)
            let space = line.isReversed ? max(0, columns - PrintedText.width(text)) : 0
            return Line(text: text + String(repeating: " ", count: space), isReversed: line.isReversed)
        }
    }

    private var choice: String {
        let kinds = TopKind.allCases.enumerated().map { number, kind in
            kind == self.kind ? "[\(number + 1) \(kind.rawValue)]" : " \(number + 1) \(kind.rawValue) "
        }
        let orders = TopOrder.allCases.map { order in
            let text = "\(order.key) \(order.rawValue)"
            return order == self.order ? "[\(text)]" : " \(text) "
        }
        return kinds.joined() + "   by " + orders.joined()
    }

    /// Returns the lines about the cache as a whole.
    static func header(_ statistics: Statistics?, address: String) -> [String] {
        guard let statistics else { return [address, "", "", ""] }
        let report = StatisticsReport(statistics, width: nil)
        var times: [String] = []
        for (name, kind) in [
            ("hit", statistics.times.hit), ("miss", statistics.times.miss), ("origin", statistics.times.origin),
        ] {
            guard let p50 = kind?.p50, let p99 = kind?.p99 else { continue }
            times.append("\(name) \(NumberText.latency(p50)), p99 \(NumberText.latency(p99))")
        }
        var state: [String] = []
        if let store = statistics.store { state.append(StatisticsReport.use(of: store)) }
        if let work = statistics.inProgress {
            if let fetches = work.fetches { state.append(EntryText.count(fetches, "fetch", "fetches")) }
            if let waiting = work.waiting { state.append("\(waiting) waiting") }
        }
        if let redis = statistics.redis { state.append("Redis \(StatisticsReport.text(of: redis))") }
        let down = statistics.origins?.count { $0.available == false } ?? 0
        if down > 0 { state.append(EntryText.count(down, "origin is down", "origins are down")) }
        return [
            "\(report.title)   \(address)", report.summary,
            times.isEmpty ? "" : "times: " + times.joined(separator: "; "), state.joined(separator: ", "),
        ]
    }

    /// Returns the rows as a table, with the counts that there are.
    static func table(_ top: TopAnswer, width: Int?) -> [String] {
        let counts: [(title: String, text: (TopAnswer.Row) -> String?)] = [
            ("REQUESTS", { $0.requests.map(NumberText.grouped) }), ("MISSES", { $0.misses.map(NumberText.grouped) }),
            ("BYTES", { $0.bytes.map(NumberText.memory) }), ("ORIGIN TIME", { $0.originTime.map(NumberText.latency) }),
        ]
        let shown = counts.filter { count in top.rows.contains { count.text($0) != nil } }
        var table = TextTable(
            shown.map { .number($0.title) } + [.text(top.of.dropLast().uppercased(), isFlexible: true)],
            width: width
        )
        let lines = table.lines(
            top.rows.map { row in shown.map { $0.text(row) ?? "-" } + [PrintedText.escaped(row.name)] }
        )
        return [table.header] + lines
    }
}
