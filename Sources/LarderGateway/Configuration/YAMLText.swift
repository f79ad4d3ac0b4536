import HTTPCaching
import Yams

/// A text that is parsed as YAML, with limits on the work that a malicious text can cause.
///
/// The parser builds nodes and does not convert them: scalars remain text (`off` is not a Boolean), and the location of
/// each node is known. An error of the parser is reported in words, with its line. The following limits apply:
/// - The size of the text, ``sizeLimit``.
/// - The depth of nesting, by the parser's own limit of 1,000.
/// - Aliases. A node that is referred to is shared and not copied, so that a "billion laughs" text takes little memory
///   as long as its nodes are not all visited. Readers visit a value only if they read its key, and count their steps
///   (``DiagnosticList``). The parser itself visits the nodes of keys, because it compares them: a key with an alias
///   in it is rejected before the text is parsed.
struct YAMLText {
    /// The maximum size of a text, in bytes: 1 MiB.
    static let sizeLimit = 1 << 20
    /// The maximum number of repeated keys after which the text is parsed again, to find further errors.
    private static let repairLimit = 20
    /// The size of a text, in bytes, from which on it is not parsed again after a repeated key: 64 KiB.
    private static let repairSizeLimit = 1 << 16
    /// The mark that is added to a repeated key, so that the rest of the text can be parsed. Valid keys do not contain
    /// it.
    static let repeatedMark = "\u{E000}"

    /// The root node; nil if the text is empty or not valid YAML.
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
                diagnostic(key.line, key.column, "a key must be plain text, without aliases or other YAML syntax")
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
                // The parser stops at the first mapping with a repeated key. The key is marked, and the text is parsed
                // again.
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

/// The description of a YAML error, with a hint how to correct it.
private struct YAMLProblem: CustomStringConvertible {
    let description: String

    init(_ problem: String, at mark: Mark, in text: String) {
        let line = text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(mark.line - 1).first ?? ""
        let next = line.unicodeScalars.dropFirst(mark.column - 1).first
        let hint: String? =
            switch next {
            case "\t": "indent with spaces instead of tabs"
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
            "a text that contains `: ` needs quotes, and the keys of a mapping must be in the same column"
        ),
        ("expected key", "the keys of a mapping must be in the same column"),
        ("'-' indicator", "the items of a list must be in the same column"),
        ("could not find expected ':'", "a key must be followed by a colon and a space"),
        ("another document", "the file may have only one `---`, at the top"),
        ("unexpected end of stream", "a quote or bracket is not closed"),
    ]
}

/// The second of two equal keys of one mapping, found in the text: the parser reports only the location of the first.
private struct RepeatedKey {
    let line: Int
    let column: Int
    /// The text with the mark added to the key.
    let marked: String

    init?(_ key: String, after first: Mark, in text: String) {
        guard !key.isEmpty else { return nil }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for index in lines.indices.dropFirst(first.line) {
            let scalars = lines[index].unicodeScalars
            // A mapping ends at the first line that begins before its column.
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

/// A search for keys that contain an alias, or may contain one. A short key can become arbitrarily large by aliases of
/// aliases, and the parser compares keys in full. In a text without aliases, the number of `?` limits the number of
/// keys within keys.
///
/// The search does not recognize quotes and comments, so that it may reject harmless texts. It never accepts a harmful
/// one.
private enum AliasedKey {
    /// The maximum number of `?` that may begin a key, in a text without aliases: 100.
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
                    // A `?` within plain text follows a letter, a digit, `-` or `_` directly, and the text continues
                    // after it. Text that follows an alias in its line is not plain text.
                    let isText = !isInLine && place > 0 && isName(bytes[place - 1]) && !isEnd(bytes, at: place + 1)
                    if !isText { complexCount += 1 }
                    if !isText, complex == nil { complex = (index + 1, place + 1) }
                default: break
                }
            }
        }
        return hasAlias || complexCount > complexLimit ? complex : nil
    }

    /// Returns the end of the name of an alias that begins at `place`; nil if there is no name.
    private static func aliasEnd(_ bytes: [UInt8], at place: Int) -> Int? {
        let name = bytes[(place + 1)...].prefix(while: isName)
        return name.isEmpty ? nil : name.endIndex
    }

    private static func isName(_ byte: UInt8) -> Bool {
        ASCII.isLetter(byte) || ASCII.isDigit(byte) || "-_".utf8.contains(byte)
    }

    /// Returns true if a plain text cannot continue at a place: at its end, a blank, or a non-ASCII byte, which may be
    /// a line break.
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
