import Larder
import Yams

/// The diagnostics and warnings that are collected while a file is read, and the number of steps that the reading took.
struct DiagnosticList {
    /// The maximum number of nodes that are visited: 100,000. Aliases can make many nodes of a short text.
    private static let stepLimit = 100_000
    /// The maximum number of diagnostics, and of warnings, that are collected.
    private static let diagnosticLimit = 100
    /// The maximum number of items in one list.
    private static let itemLimit = 256

    let name: String
    private(set) var errors: [Diagnostic] = []
    private(set) var warnings: [Diagnostic] = []
    private var steps = 0

    init(name: String) { self.name = name }

    /// Returns the location of a node.
    func location(of node: Node) -> SourceLocation {
        .file(name: name, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    mutating func add(_ diagnostic: Diagnostic) {
        if errors.count < Self.diagnosticLimit { errors.append(diagnostic) }
    }

    mutating func add(_ message: String, at node: Node) { add(Diagnostic(at: location(of: node), message)) }

    mutating func warn(_ message: String, at location: SourceLocation) {
        if warnings.count < Self.diagnosticLimit { warnings.append(.warning(at: location, message)) }
    }

    /// Counts a step. Returns false if the limit is reached.
    private mutating func step(at node: Node) -> Bool {
        steps += 1
        if steps == Self.stepLimit {
            add("the file has too many values: at most \(Self.stepLimit) are read, aliases included", at: node)
        }
        return steps < Self.stepLimit
    }
}

// MARK: - Shapes

extension DiagnosticList {
    /// Returns the keys of a mapping with their values, in order. Pairs that are merged into it (`<<: *defaults`) come
    /// after its own pairs, which take precedence.
    mutating func pairs(of node: Node, _ what: String, merging depth: Int = 0) -> [(key: String, at: Node, value: Node)]
    {
        guard case .mapping(let mapping) = node else {
            add("\(what) is \(Self.kind(of: node)): expected keys with values", at: node)
            return []
        }
        var (pairs, merged): ([(key: String, at: Node, value: Node)], [Node]) = ([], [])
        for (key, value) in mapping {
            guard step(at: key) else { return [] }
            guard case .scalar(let scalar) = key else {
                add("a key must be plain text: this is \(Self.kind(of: key))", at: key)
                continue
            }
            if scalar.string.hasSuffix(YAMLText.repeatedMark) { continue }
            if scalar.string == "<<", scalar.style == .plain {
                merged += value.sequence.map { Array($0) } ?? [value]
            } else {
                pairs.append((scalar.string, key, value))
            }
        }
        for other in merged {
            guard depth < 4 else {
                add("`<<` is nested too deeply: at most 4 levels are allowed", at: other)
                break
            }
            let known = Set(pairs.map(\.key))
            pairs += self.pairs(of: other, "the value of `<<`", merging: depth + 1).filter { !known.contains($0.key) }
        }
        return pairs
    }

    /// Returns the items of a list. A node that is not a list is the only item.
    mutating func items(of node: Node, _ key: String) -> [Node] {
        guard case .sequence(let sequence) = node else { return [node] }
        guard sequence.count <= Self.itemLimit else {
            add("`\(key)` has \(sequence.count) items: at most \(Self.itemLimit) are allowed", at: node)
            return []
        }
        return sequence.filter { step(at: $0) }
    }

    /// Returns the text of a node; nil with a diagnostic if it is empty or not a scalar.
    mutating func text(_ node: Node, _ key: String, expecting expectation: String) -> String? {
        guard step(at: node) else { return nil }
        guard case .scalar(let scalar) = node else {
            add("`\(key)` is \(Self.kind(of: node)): expected \(expectation)", at: node)
            return nil
        }
        guard !scalar.string.isEmpty else {
            add("`\(key)` is empty: leave it out, or give \(expectation)", at: node)
            return nil
        }
        return scalar.string
    }

    static func kind(of node: Node) -> String {
        switch node {
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .scalar(let scalar): scalar.string.isEmpty ? "empty" : "the text \(quoted(scalar.string))"
        case .alias: "an alias"
        }
    }

    /// Returns a text in quotes for messages, shortened to 60 characters.
    static func quoted(_ text: String) -> String {
        let limit = 60
        return "\"" + (text.count > limit ? text.prefix(limit) + "…" : text[...]) + "\""
    }
}

// MARK: - Values

extension DiagnosticList {
    /// Returns the value that the text of a node stands for; nil with a diagnostic if there is none.
    mutating func value<Value>(
        _ node: Node,
        _ key: String,
        expecting expectation: String,
        _ parse: (String) -> Value?
    ) -> Value? {
        guard let text = text(node, key, expecting: expectation) else { return nil }
        guard let value = parse(text) else {
            add("`\(key)`: \(Self.quoted(text)) is invalid: expected \(expectation)", at: node)
            return nil
        }
        return value
    }

    /// Returns the values that a list of texts, or a single text, stands for. Invalid texts get a diagnostic and are
    /// left out.
    mutating func values<Value>(
        _ node: Node,
        _ key: String,
        expecting expectation: String,
        _ parse: (String) -> Value?
    ) -> [Value] {
        var values: [Value] = []
        for item in items(of: node, key) {
            if let value = value(item, key, expecting: expectation, parse) { values.append(value) }
        }
        return values
    }

    mutating func duration(_ node: Node, _ key: String) -> Duration? {
        guard let text = text(node, key, expecting: DurationText.expectation) else { return nil }
        if let duration = DurationText.parse(text) { return duration }
        let hint = DurationText.parse(text + "s").map { _ in "it has no unit: did you mean `\(text)s`?" }
        add(
            "`\(key)`: \(Self.quoted(text)) is invalid: " + (hint ?? "expected \(DurationText.expectation)"),
            at: node
        )
        return nil
    }

    mutating func bytes(_ node: Node, _ key: String) -> ByteCount? {
        value(node, key, expecting: "a size such as 65536 (bytes), 512KiB, 8MiB or 1GiB") { ByteCount($0) }
    }

    /// Returns the case that a node names; nil with a diagnostic if it names none.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ node: Node, _ key: String) -> Choice?
    where Choice.RawValue == String {
        let words = Choice.allCases.map(\.rawValue)
        return value(node, key, expecting: words.map { "`\($0)`" }.alternatives) { Choice(rawValue: $0) }
    }

    /// Adds a diagnostic for an unknown key, with the known keys that are most similar. If there are none, it says
    /// where the known keys are listed.
    /// - Parameter reference: The list of the known keys, in a clause.
    /// - Returns: The known keys that may be meant.
    @discardableResult
    mutating func addUnknown(_ key: String, at node: Node, among names: [String], _ reference: String) -> [String] {
        let meant = SpellingSuggestion.names(like: key, among: names)
        let hint = meant.isEmpty ? reference : "did you mean \(meant.map { "`\($0)`" }.alternatives)?"
        add("unknown key `\(key)`: \(hint)", at: node)
        return meant
    }
}
