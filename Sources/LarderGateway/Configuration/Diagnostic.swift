/// Something wrong in a configuration, in words for the person who wrote it: where it stands, and what was expected.
///
///     larder.yaml:12:5: unknown key `tll`: did you mean `ttl`?
///     LARDER_LISTEN: "localhost" is wrong: expected host:port
public struct Diagnostic: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where a setting was given.
    public enum Place: Hashable, Sendable {
        /// In a file; lines and columns count from one, columns by Unicode scalars.
        case file(name: String, line: Int, column: Int)
        /// In the environment, by the name of the variable.
        case variable(String)
        /// On the command line, by the name of the option: `--listen`.
        case option(String)
        /// Nowhere: something is missing.
        case nowhere
    }

    /// Where it stands.
    public let place: Place
    /// What is wrong, and what was expected: one line.
    public let message: String

    /// A diagnostic. Whatever the message quotes, it stays in its line.
    public init(at place: Place, _ message: String) {
        self.place = place
        self.message = Self.printable(message)
    }

    /// The line of the file; nil where it does not stand in one.
    public var line: Int? { place.line }

    /// The column in the line; nil where it does not stand in a file.
    public var column: Int? {
        if case .file(_, _, let column) = place { column } else { nil }
    }

    public var description: String {
        switch place {
        case .file(let name, let line, let column): "\(Self.printable(name)):\(line):\(column): \(message)"
        case .variable(let name), .option(let name): "\(name): \(message)"
        case .nowhere: message
        }
    }

    private static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { isPrintable($0) ? $0 : "\u{FFFD}" }))
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: false
        default: true
        }
    }
}

extension Diagnostic: Comparable {
    /// Files first, in the order of their lines; then by name.
    public static func < (left: Diagnostic, right: Diagnostic) -> Bool {
        (left.rank, left.line ?? 0, left.column ?? 0, left.description)
            < (right.rank, right.line ?? 0, right.column ?? 0, right.description)
    }

    private var rank: Int {
        switch place {
        case .file: 0
        case .variable: 1
        case .option: 2
        case .nowhere: 3
        }
    }
}

/// A configuration that cannot be used: all that is wrong with it, one diagnostic a line.
public struct ConfigurationDiagnostics: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, in the order of the file; never empty.
    public let diagnostics: [Diagnostic]

    init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics.sorted() }

    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

extension Diagnostic.Place {
    /// The line of the file; nil where it is in none.
    public var line: Int? {
        if case .file(_, let line, _) = self { line } else { nil }
    }
}
