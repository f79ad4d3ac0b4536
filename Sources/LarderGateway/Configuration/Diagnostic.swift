/// A fault in a configuration, described for the person who wrote it: where it is, and what was expected. Its
/// description has the form of a compiler's messages:
///
///     larder.yaml:12:5: error: unknown key `tll`: did you mean `ttl`?
///     LARDER_LISTEN: error: "localhost" is invalid: expected host:port
public struct Diagnostic: Error, Hashable, Sendable, CustomStringConvertible {
    /// The severity of a diagnostic.
    public enum Severity: String, Hashable, Sendable {
        /// The configuration is invalid.
        case error
        /// The configuration is valid, but may not do what was intended.
        case warning
    }

    /// The severity of the fault.
    public let severity: Severity
    /// The location of the fault.
    public let location: SourceLocation
    /// The fault and what was expected, in one line.
    public let message: String

    /// Creates a diagnostic. Control characters and line breaks in the message are replaced, so that it is one line.
    public init(at location: SourceLocation, _ message: String, severity: Severity = .error) {
        self.severity = severity
        self.location = location
        self.message = Self.printable(message)
    }

    /// Creates a diagnostic about the value of a setting. The message names the setting unless the location does.
    init(_ setting: GatewaySetting, at location: SourceLocation, _ message: String, severity: Severity = .error) {
        let isNamed =
            switch location {
            case .variable, .option: true
            case .file, .nowhere: false
            }
        self.init(at: location, (isNamed ? "" : "`\(setting.rawValue)`: ") + message, severity: severity)
    }

    /// Returns a warning.
    static func warning(at location: SourceLocation, _ message: String) -> Diagnostic {
        Diagnostic(at: location, message, severity: .warning)
    }

    /// The line in the file; nil if the diagnostic is not about a file.
    public var line: Int? { location.line }

    /// The column in the line; nil if the diagnostic is not about a file.
    public var column: Int? {
        if case .file(_, _, let column) = location { column } else { nil }
    }

    public var description: String {
        let text = "\(severity.rawValue): \(message)"
        return switch location {
        case .file(let name, let line, let column): "\(Self.printable(name)):\(line):\(column): \(text)"
        case .variable(let name), .option(let name): "\(name): \(text)"
        case .nowhere: text
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
    /// Orders diagnostics by location: those of files first, by line and column, then those of variables, those of
    /// options, and those without a location.
    public static func < (left: Diagnostic, right: Diagnostic) -> Bool {
        (left.rank, left.line ?? 0, left.column ?? 0, left.description)
            < (right.rank, right.line ?? 0, right.column ?? 0, right.description)
    }

    private var rank: Int {
        switch location {
        case .file: 0
        case .variable: 1
        case .option: 2
        case .nowhere: 3
        }
    }
}

/// An error that has all diagnostics of an invalid configuration, one a line.
public struct ConfigurationDiagnostics: Error, Hashable, Sendable, CustomStringConvertible {
    /// The diagnostics, in the order of the file; never empty.
    public let diagnostics: [Diagnostic]

    init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics.sorted() }

    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

extension SourceLocation {
    /// The line in the file; nil for any other location.
    public var line: Int? {
        if case .file(_, let line, _) = self { line } else { nil }
    }
}

/// The location of a setting.
public enum SourceLocation: Hashable, Sendable {
    /// In a file. Lines and columns count from 1, columns in Unicode scalars.
    case file(name: String, line: Int, column: Int)
    /// In the environment, by the name of the variable.
    case variable(String)
    /// On the command line, by the name of the option: `--listen`.
    case option(String)
    /// No location: something is missing.
    case nowhere
}
