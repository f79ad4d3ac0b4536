import HTTPCaching
import Larder

extension CacheExplanation {
    /// The explanation as lines of text: the result, the notes by topic, and the time line.
    public var lines: [String] {
        var lines = [headline]
        if let key { lines.append("Key: \(printable(key.description, limit: CacheKey.maximumLength))") }
        for topic in Topic.allCases {
            let texts = notes.filter { $0.topic == topic }.map(\.text)
            guard !texts.isEmpty else { continue }
            lines += ["", topic.rawValue]
            for text in texts { lines += Self.wrapped(text) }
        }
        if let timeLine { lines += [""] + timeLine.lines }
        return lines
    }

    /// The width at which text is wrapped, in columns.
    static let width = 100

    /// Returns the lines of a text below a heading. The second and later ones are indented further.
    static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        var line = "  "
        var isEmpty = true
        for word in unbroken(text.split(separator: " ")) {
            if !isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = "    "
                isEmpty = true
            }
            line += isEmpty ? word : " \(word)"
            isEmpty = false
        }
        return lines + [line]
    }

    /// Returns words, with those joined that must stay on one line: `RFC 9111 §3` and `60 s`.
    private static func unbroken(_ words: [Substring]) -> [String] {
        var units: [String] = []
        var previous: Substring = ""
        for word in words {
            let isUnit = word.first == "s" && word.dropFirst().allSatisfy(\.isPunctuation)
            if previous.hasSuffix("RFC") || word.first == "§" || isUnit, let last = units.indices.last {
                units[last] += " \(word)"
            } else {
                units.append(String(word))
            }
            previous = word
        }
        return units
    }
}

extension TimeLine {
    /// The time line as a table, with a legend of its terms.
    public var lines: [String] {
        let plain = rows.compactMap(\.answers.first)
        var asked = zip(questions, questions.indices).map { ($0.name, rows.map(\.answers[$1].normally)) }
        asked.append(("unreachable", plain.map(\.unreachable)))
        asked.append(("503", plain.map(\.failing)))
        let table =
            [["from age"] + rows.map { $0.from.duration(since: generatedAt).inSeconds }]
            + asked.map { [$0.0] + $0.1.map(\.token) }
        var legend: [String] = []
        for line in asked.flatMap(\.1).map(\.legend) where !legend.contains(line) { legend.append(line) }
        return ["Time line (ages in seconds; the last two rows are plain requests while the origin fails)"]
            + Self.aligned(table) + ends.flatMap(CacheExplanation.wrapped) + legend.map { "  \($0)" }
    }

    /// The ages at which the uses of the response end, in a sentence.
    private var ends: [String] {
        let ends = rows.flatMap { row in
            let age = row.until?.duration(since: generatedAt).inSeconds ?? ""
            return row.ends.map { "\($0.rawValue) until \(age) s" }
        }
        return ends.isEmpty ? [] : ["Limits: \(ends.listed)."]
    }

    private static func aligned(_ table: [[String]]) -> [String] {
        guard let head = table.first else { return [] }
        let widths = head.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        return table.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return "  " + String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
    }
}

extension TimeLine.Outcome {
    /// The outcome's token and its meaning, in one line.
    fileprivate var legend: String {
        switch self {
        case .fresh: "fresh: the stored response is served."
        case .stale: "stale: the stored response is served, and refreshed if stale-while-revalidate applies."
        case .notModified: "304: the client already has the stored response."
        case .validated: "validate: the origin is asked whether the stored response is unchanged."
        case .fetched: "fetch: the whole response is fetched from the origin."
        case .missing: "missing: nothing is stored, and the response is fetched from the origin."
        case .staleIfError: "stale-if-error: the stored response is served in place of the origin's failure."
        case .gatewayTimeout: "504: the request allows only stored responses, and no stored response can be used."
        case .failed: "error: the origin's error response, or a 502 or 504 if it sent none."
        }
    }
}
