import Yams

/// Reads a text as YAML, as far as it is safe to.
///
/// The parser builds nodes and no more: scalars stay the text they are (`off` is no Boolean here), and where each node
/// stands is known. Four things bound what a hostile text can do:
/// - its size;
/// - the depth of nesting, by the parser's own limit of 1,000;
/// - aliases. A node that is referred to is shared and not copied, so that a "billion laughs" is small while nobody
///   walks through it. Readers walk only where there is a key to read, and count their steps (``Findings``). The parser
///   itself walks through keys, which it compares: a key with an alias in it is refused before it is parsed;
/// - its kind of error: what the parser throws is said in words, with its line.
struct YAMLText {
    /// The largest text taken, in bytes.
    static let sizeLimit = 1 << 20
    /// How many repeated keys are looked past, to find what else is wrong.
    private static let repairLimit = 20
    /// The largest text that is read again for that.
    private static let repairSizeLimit = 1 << 16
    /// What is put behind a repeated key, so that the rest can be read: no key that is meant has it.
    static let repeatedMark = "\u{E000}"

    /// The root; nil where the text is empty, or no YAML.
    private(set) var root: Node?
    private(set) var diagnostics: [Diagnostic] = []
    private let name: String

    init(_ text: String, name: String) {
        self.name = name
        guard text.utf8.count <= Self.sizeLimit else {
            diagnostics.append(diagnostic(1, 1, "the file is larger than \(Self.sizeLimit >> 20) MiB"))
            return
        }
        if let key = AliasedKey.first(in: text) {
            diagnostics.append(
                diagnostic(key.line, key.column, "a key is plain text: no alias or other YAML can be one")
            )
            return
        }
        parse(text)
    }

    private func diagnostic(_ line: Int, _ column: Int, _ message: String) -> Diagnostic {
        Diagnostic(at: .file(name: name, line: max(1, line), column: max(1, column)), message)
    }

    private mutating func parse(_ text: String) {
        var text = text
        for attempt in 0... {
            do {
                root = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
                return
            } catch let error as YamlError {
                guard case .duplicatedKeysInMapping(let keys, let context) = error else {
                    diagnostics.append(describe(error))
                    return
                }
                // The parser ends at the first mapping with a repeated key. It is marked, and the text read again.
                guard attempt < Self.repairLimit, text.utf8.count < Self.repairSizeLimit, let key = keys.first,
                    let repeated = RepeatedKey(key, after: context.mark, in: text)
                else {
                    let shown = keys.first.map { "`\($0)`" } ?? "a key"
                    diagnostics.append(diagnostic(context.mark.line, context.mark.column, "\(shown) is given twice"))
                    return
                }
                let message = "`\(key)` is given twice: the first time in line \(context.mark.line)"
                diagnostics.append(diagnostic(repeated.line, repeated.column, message))
                text = repeated.marked
            } catch {
                diagnostics.append(diagnostic(1, 1, "the file cannot be read as YAML"))
                return
            }
        }
    }

    private func describe(_ error: YamlError) -> Diagnostic {
        switch error {
        case .scanner(_, let problem, let mark, let text), .parser(_, let problem, let mark, let text),
            .composer(_, let problem, let mark, let text):
            return diagnostic(mark.line, mark.column, YAMLProblem(problem, at: mark, in: text).description)
        case .reader(let problem, let offset, _, let text):
            let before = text.prefix(offset ?? 0)
            let line = before.count { $0.isNewline } + 1
            let column = before.reversed().prefix { !$0.isNewline }.count + 1
            return diagnostic(line, column, "not YAML: \(problem)")
        default:
            return diagnostic(1, 1, "the file cannot be read as YAML")
        }
    }
}

/// What is wrong with a text's YAML, in words that help.
private struct YAMLProblem: CustomStringConvertible {
    let description: String

    init(_ problem: String, at mark: Mark, in text: String) {
        let line = text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(mark.line - 1).first ?? ""
        let next = line.unicodeScalars.dropFirst(mark.column - 1).first
        let hint: String? =
            switch next {
            case "\t": "a tab cannot indent: use spaces"
            case "*": "a text that begins with `*` needs quotes"
            case "@", "`", "%", "&", "!": "a text that begins with `\(next ?? " ")` needs quotes"
            default: Self.hints.first { problem.contains($0.problem) }?.hint
            }
        description = "not YAML: \(problem)" + (hint.map { "; \($0)" } ?? "")
    }

    private static let hints: [(problem: String, hint: String)] = [
        ("undefined alias", "a text that begins with `*` needs quotes"),
        ("alphabetic or numeric", "a text that begins with `*` or `&` needs quotes"),
        (
            "mapping values are not allowed",
            "a text with `: ` in it needs quotes, and keys of one mapping stand in one column"
        ),
        ("expected key", "keys of one mapping stand in one column"),
        ("'-' indicator", "items of one list stand in one column"),
        ("could not find expected ':'", "a key is followed by a colon and a space"),
        ("another document", "one `---` at most, at the top"),
        ("unexpected end of stream", "a quote or bracket is not closed"),
    ]
}

/// The second of two equal keys of one mapping, found in the text: the parser tells of the first alone.
private struct RepeatedKey {
    let line: Int
    let column: Int
    /// The text with a mark behind the key.
    let marked: String

    init?(_ key: String, after first: Mark, in text: String) {
        guard !key.isEmpty else { return nil }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for index in lines.indices.dropFirst(first.line) {
            let scalars = lines[index].unicodeScalars
            // A mapping ends where a line begins before its column.
            let indentation = scalars.prefix { $0 == " " }.count
            if indentation < first.column - 1, ![nil, "#", "\r"].contains(scalars.dropFirst(indentation).first) {
                break
            }
            guard let start = scalars.index(scalars.startIndex, offsetBy: first.column - 1, limitedBy: scalars.endIndex)
            else { continue }
            let rest = scalars[start...]
            guard scalars[..<start].allSatisfy({ $0 == " " }), rest.starts(with: key.unicodeScalars) else { continue }
            let end = rest.index(start, offsetBy: key.unicodeScalars.count)
            guard rest[end...].first(where: { $0 != " " }) == ":" else { continue }
            (line, column) = (index + 1, first.column)
            lines[index].unicodeScalars.insert(contentsOf: YAMLText.repeatedMark.unicodeScalars, at: end)
            marked = lines.joined(separator: "\n")
            return
        }
        return nil
    }
}

/// A key that an alias is part of, or may be: of aliases of aliases a short one is large without bounds, and the parser
/// compares keys in full. Without aliases, keys within keys are as many as there are `?`.
///
/// It looks at bytes and knows neither quotes nor comments, so that it may refuse what is harmless, and never lets pass
/// what is not.
private enum AliasedKey {
    /// The most `?` that may be more than text, where there are no aliases.
    private static let complexLimit = 100

    static func first(in text: String) -> (line: Int, column: Int)? {
        var hasAlias = false
        var complex: (line: Int, column: Int)?
        var complexCount = 0
        for (index, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let bytes = Array(line)
            var isInLine = false
            for place in bytes.indices {
                switch bytes[place] {
                case UInt8(ascii: "*"):
                    guard let end = aliasEnd(bytes, at: place) else { continue }
                    (hasAlias, isInLine) = (true, true)
                    if isFollowedByColon(bytes, from: end) { return (index + 1, place + 1) }
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    if isInLine, isFollowedByColon(bytes, from: place + 1) { return (index + 1, place + 1) }
                case UInt8(ascii: "?"):
                    // In a text it follows and is followed by letters; and what follows an alias is no text.
                    let isText = !isInLine && place > 0 && isName(bytes[place - 1]) && !isEnd(bytes, at: place + 1)
                    if !isText { complexCount += 1 }
                    if !isText, complex == nil { complex = (index + 1, place + 1) }
                default: break
                }
            }
        }
        return hasAlias || complexCount > complexLimit ? complex : nil
    }

    /// Where the name of an alias ends that begins at `place`; nil where none can.
    private static func aliasEnd(_ bytes: [UInt8], at place: Int) -> Int? {
        let name = bytes[(place + 1)...].prefix(while: isName)
        return name.isEmpty ? nil : name.endIndex
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Whether a text cannot go on here: some line breaks are no ASCII.
    private static func isEnd(_ bytes: [UInt8], at place: Int) -> Bool {
        place >= bytes.count || isBlank(bytes[place]) || bytes[place] >= 0x80
    }

    private static func isFollowedByColon(_ bytes: [UInt8], from place: Int) -> Bool {
        bytes[place...].first { !isBlank($0) } == UInt8(ascii: ":")
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }
}
