import Configuration
import HTTPCaching
import Larder

/// The sources of settings, in order of precedence: inherited sockets, the command line, the environment, the file.
struct SettingSources {
    /// A value that is written in a file.
    struct Written {
        let text: String
        let location: SourceLocation
    }

    /// The addresses of inherited sockets.
    var inherited: [GatewaySetting: String] = [:]
    var options: [GatewaySetting: String] = [:]
    var environment: [String: String] = [:]
    var file: [GatewaySetting: Written] = [:]
    /// The name of the file; nil if there is none.
    var fileName: String?
    /// The settings that the file seems to give, but that could not be read (``GatewayFile/unreadSettings``).
    var unread: Set<GatewaySetting> = []

    /// Returns the location of a setting in the first source that gives it.
    func location(of setting: GatewaySetting) -> SourceLocation {
        inherited[setting] == nil ? givenLocation(of: setting) : .variable("LISTEN_FDS")
    }

    /// Returns the location of a setting in the first source that gives it, apart from inherited sockets.
    func givenLocation(of setting: GatewaySetting) -> SourceLocation {
        if options[setting] != nil { return .option(setting.option) }
        if environment[setting.variable] != nil { return .variable(setting.variable) }
        return file[setting]?.location ?? .nowhere
    }

    /// The reader of all sources.
    var reader: ConfigReader { ConfigReader(providers: [Self.provider("inherited sockets", inherited)] + given) }

    /// The reader of the sources apart from inherited sockets.
    var givenReader: ConfigReader { ConfigReader(providers: given) }

    private var given: [any ConfigProvider] {
        [
            Self.provider("the command line", options),
            EnvironmentVariablesProvider(environmentVariables: environment),
            Self.provider("the file", file.mapValues(\.text)),
        ]
    }

    private static func provider(_ name: String, _ values: [GatewaySetting: String]) -> InMemoryProvider {
        InMemoryProvider(
            name: name,
            values: Dictionary(
                uniqueKeysWithValues: values.map { setting, text in
                    (AbsoluteConfigKey(setting.key), ConfigValue(.string(text), isSecret: setting.isSecret))
                }
            )
        )
    }
}

/// A reader of settings. It records a diagnostic for each invalid setting, with its location and the expected value.
struct SettingReader {
    private(set) var diagnostics: [Diagnostic] = []
    let sources: SettingSources
    private let reader: ConfigReader

    init(_ sources: SettingSources) {
        self.sources = sources
        self.reader = sources.reader
    }

    /// Returns true if no source gives a setting, or seems to give it.
    func isAbsent(_ setting: GatewaySetting) -> Bool {
        sources.location(of: setting) == .nowhere && !sources.unread.contains(setting)
    }

    /// Returns the text that a source other than inherited sockets gives for a setting; nil if none does.
    func given(_ setting: GatewaySetting) -> String? {
        sources.givenReader.string(forKey: setting.key, isSecret: setting.isSecret)
    }

    /// Adds a diagnostic about the value of a setting.
    mutating func add(_ message: String, at setting: GatewaySetting) {
        diagnostics.append(Diagnostic(setting, at: location(of: setting), message))
    }

    /// Adds a diagnostic whose message follows the name of the setting: `is missing; expected …`.
    mutating func add(_ setting: GatewaySetting, _ predicate: String) {
        diagnostics.append(Diagnostic(at: location(of: setting), "`\(setting.rawValue)` \(predicate)"))
    }

    /// Returns the location of a setting; the beginning of the file if no source gives it.
    private func location(of setting: GatewaySetting) -> SourceLocation {
        let location = sources.location(of: setting)
        guard location == .nowhere, let name = sources.fileName else { return location }
        return .file(name: name, line: 1, column: 1)
    }

    /// Returns the value of a setting; nil if it is not given or invalid.
    mutating func value<Value>(
        _ setting: GatewaySetting,
        expecting expectation: String,
        _ parse: (String) -> Value?
    ) -> Value? {
        guard let text = reader.string(forKey: setting.key, isSecret: setting.isSecret) else { return nil }
        guard !text.isEmpty else {
            add(setting, "is empty: leave it out, or give \(expectation)")
            return nil
        }
        if let value = parse(text) { return value }
        // A text with an @ may have a password before it.
        let isHidden = setting.isSecret || text.contains("@")
        add("\(isHidden ? "the value" : DiagnosticList.quoted(text)) is invalid: expected \(expectation)", at: setting)
        return nil
    }

    /// Returns the values of a setting that is a list, separated by commas; empty if it is not given. Invalid values
    /// are left out.
    mutating func list<Value>(
        _ setting: GatewaySetting,
        expecting expectation: String,
        _ parse: (String) -> Value?
    ) -> [Value] {
        list(setting, expecting: expectation, hint: { _ in "expected \(expectation)" }, parse)
    }

    /// Returns the cases that a setting names in a list. A name that is unknown gets a diagnostic with the known name
    /// that is most similar, and so does one that is given twice.
    mutating func list<Choice: RawRepresentable<String> & CaseIterable & Hashable>(
        _ setting: GatewaySetting,
        of type: Choice.Type
    ) -> [Choice] {
        let names = Choice.allCases.map(\.rawValue)
        let expectation = "names such as \(names.prefix(3).joined(separator: ", "))"
        var known: Set<Choice> = []
        return list(setting, expecting: expectation) { text in
            // Suggestions ignore if words are joined by hyphens or by underscores.
            let hyphenated = names.map { $0.replacing("_", with: "-") }
            let meant = SpellingSuggestion.name(like: text, among: hyphenated)?.replacing("-", with: "_")
            if Choice(rawValue: text) != nil { return "it is given twice" }
            return meant.map { "did you mean `\($0)`?" } ?? "expected one of \(names.joined(separator: ", "))"
        } _: { text in
            Choice(rawValue: text).flatMap { known.insert($0).inserted ? $0 : nil }
        }
    }

    private mutating func list<Value>(
        _ setting: GatewaySetting,
        expecting expectation: String,
        hint: (String) -> String,
        _ parse: (String) -> Value?
    ) -> [Value] {
        guard let text = reader.string(forKey: setting.key, isSecret: setting.isSecret) else { return [] }
        let items = text.split(separator: ",", omittingEmptySubsequences: false).map { item in
            String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard items.count <= Self.itemLimit else {
            add(setting, "has \(items.count) values: at most \(Self.itemLimit) are allowed")
            return []
        }
        var values: [Value] = []
        for item in items {
            if let value = parse(item) {
                values.append(value)
            } else if item.isEmpty {
                add(
                    setting,
                    (items.count > 1 ? "has an empty value" : "is empty") + ": leave it out, or give \(expectation)"
                )
                break
            } else {
                add("\(DiagnosticList.quoted(item)) is invalid: \(hint(item))", at: setting)
            }
        }
        return values
    }

    /// The maximum number of values in a list.
    private static let itemLimit = 256

    /// Stores the value of a setting in `value` if it is given and valid.
    mutating func read<Value>(
        _ setting: GatewaySetting,
        into value: inout Value,
        expecting expectation: String,
        _ parse: (String) -> Value?
    ) {
        if let read = self.value(setting, expecting: expectation, parse) { value = read }
    }

    /// Stores a duration in `value` if it is given and valid: from 1 ms to 1 day unless other limits are given.
    mutating func read(
        _ setting: GatewaySetting,
        into value: inout Duration,
        from least: Duration = .milliseconds(1),
        upTo most: Duration = .seconds(86_400)
    ) {
        let limits = "from \(DurationText.describe(least)) to \(DurationText.describe(most))"
        read(setting, into: &value, expecting: "\(DurationText.expectation), \(limits)") { text in
            DurationText.parse(text).flatMap { (least...most).contains($0) ? $0 : nil }
        }
    }

    /// Stores a number from 1 to `limit` in `value` if it is given and valid.
    mutating func read(_ setting: GatewaySetting, into value: inout Int, upTo limit: Int) {
        read(setting, into: &value, expecting: "a number from 1 to \(limit)") { text in
            guard text.utf8.allSatisfy(ASCII.isDigit) else { return nil }
            return Int(text).flatMap { (1...limit).contains($0) ? $0 : nil }
        }
    }

    /// Stores a number of bytes in `value` if it is given and valid.
    mutating func read(
        _ setting: GatewaySetting,
        into value: inout ByteCount,
        from least: ByteCount,
        upTo most: ByteCount? = nil
    ) {
        let limits = most.map { "from \(least) to \($0)" } ?? "at least \(least)"
        read(setting, into: &value, expecting: "a size such as 268435456 (bytes), 64MiB or 1GiB, \(limits)") { text in
            ByteCount(text).flatMap { $0 >= least && $0 <= most ?? $0 ? $0 : nil }
        }
    }
}

extension GatewaySetting {
    fileprivate var key: ConfigKey { ConfigKey(["larder", rawValue]) }
}
