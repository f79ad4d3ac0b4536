import Yams

/// The content of a configuration file.
///
/// ```yaml
/// origin: http://127.0.0.1:3000
/// routes:
///   - path: /api/posts/**
///     ttl: 90s
/// ```
/// The keys at the top are settings, `origins`, `routes`, or keys that begin with `x-`. The latter are ignored; they
/// hold values that aliases refer to.
struct GatewayFile {
    /// The maximum number of routes in a file: 1,000.
    static let routeLimit = 1_000

    /// A server in `origins`, to which routes refer by name.
    struct NamedOrigin {
        let name: String
        let address: OriginAddress
        let location: SourceLocation
    }

    /// The settings in the file, as text.
    private(set) var settings: [GatewaySetting: SettingSources.Written] = [:]
    /// The servers in `origins`.
    private(set) var origins: [NamedOrigin] = []
    /// The routes, in the order of the file.
    private(set) var rules: [RouteRule] = []
    private(set) var diagnostics: DiagnosticList
    /// True if the file is not valid YAML or has no keys, so that its content is unknown.
    private(set) var isUnreadable = false
    /// The settings that the file seems to give, but that cannot be read: the name is misspelled, or the value is not a
    /// text. They have a diagnostic, so they are not reported as missing, too.
    private(set) var unreadSettings: Set<GatewaySetting> = []
    /// True if the key `origins` is misspelled, so that the names of origins are unknown.
    private var hasUnreadOrigins = false

    /// Creates an empty file.
    init(name: String) { diagnostics = DiagnosticList(name: name) }

    /// Creates a file from its text, and records diagnostics for all that is wrong with it.
    init(_ text: String, name: String) {
        self.init(name: name)
        let yaml = YAMLText(text, name: name)
        for diagnostic in yaml.diagnostics { diagnostics.add(diagnostic) }
        guard let root = yaml.root else {
            isUnreadable = !yaml.diagnostics.isEmpty
            return
        }
        // A file that has only comments is an empty scalar.
        if let scalar = root.scalar, scalar.string.isEmpty { return }
        isUnreadable = root.mapping == nil
        for (key, at, value) in diagnostics.pairs(of: root, "the file") {
            if let setting = GatewaySetting(rawValue: key) {
                if let text = setting.isList ? list(of: value, key) : self.text(of: value, key) {
                    settings[setting] = SettingSources.Written(text: text, location: diagnostics.location(of: value))
                } else {
                    unreadSettings.insert(setting)
                }
            } else if key == "origins" {
                readOrigins(value)
            } else if key == "routes" {
                readRoutes(value)
            } else if !key.hasPrefix("x-") {
                noteUnknown(key, at: at)
            }
        }
        checkOrigins()
        checkOrder()
    }

    /// Returns the address of the origin with a name; nil if there is no such origin.
    func origin(named name: String) -> OriginAddress? {
        origins.first { $0.name == name }?.address
    }

    /// Adds a diagnostic for an unknown key of the top level, and notes what may be meant.
    private mutating func noteUnknown(_ key: String, at node: Node) {
        let names = ["origins", "routes"] + GatewaySetting.allCases.map(\.rawValue)
        let reference = "docs/gateway.md and `larder serve --help` list the settings"
        let meant = diagnostics.addUnknown(key, at: node, among: names, reference)
        unreadSettings.formUnion(meant.compactMap { GatewaySetting(rawValue: $0) })
        guard meant.contains("origins") else { return }
        hasUnreadOrigins = true
        // The only one of the origins would be the default origin.
        unreadSettings.insert(.origin)
    }

    /// Returns the text of a setting; nil with a diagnostic if it is not a scalar. `SettingReader` reports empty texts.
    private mutating func text(of node: Node, _ key: String) -> String? {
        if let scalar = node.scalar { return scalar.string }
        diagnostics.add("`\(key)` is \(DiagnosticList.kind(of: node)): expected one value", at: node)
        return nil
    }

    /// Returns the texts of a list, separated by commas as in the environment.
    private mutating func list(of node: Node, _ key: String) -> String? {
        guard case .sequence = node else { return text(of: node, key) }
        let texts = diagnostics.items(of: node, key).compactMap { text(of: $0, key) }
        guard texts.allSatisfy({ !$0.contains(",") }) else {
            diagnostics.add(
                "`\(key)`: a value in the list contains a comma: write each value as a separate item",
                at: node
            )
            return nil
        }
        return texts.joined(separator: ", ")
    }

    private mutating func readOrigins(_ node: Node) {
        for (name, at, value) in diagnostics.pairs(of: node, "`origins`") {
            let isName = (1...64).contains(name.utf8.count) && !name.contains("/")
            if !isName {
                diagnostics.add("`\(name)` is not a valid name of an origin: expected 1 to 64 bytes without /", at: at)
            }
            let address = diagnostics.value(value, name, expecting: OriginAddress.expectation) { OriginAddress($0) }
            // An origin with an invalid address still has a name, so that routes with this name are not reported as
            // well.
            guard isName else { continue }
            let origin = address ?? OriginAddress.unknown
            origins.append(NamedOrigin(name: name, address: origin, location: diagnostics.location(of: at)))
        }
    }

    private mutating func readRoutes(_ node: Node) {
        guard case .sequence(let routes) = node else {
            diagnostics.add(
                "`routes` is \(DiagnosticList.kind(of: node)): expected a list of routes, each with a `path`",
                at: node
            )
            return
        }
        guard routes.count <= Self.routeLimit else {
            diagnostics.add("`routes` has \(routes.count) routes: at most \(Self.routeLimit) are allowed", at: node)
            return
        }
        for route in routes {
            if let rule = RouteReader.read(route, &diagnostics) { rules.append(rule) }
        }
    }

    /// Checks that the origins of all routes exist.
    private mutating func checkOrigins() {
        guard !hasUnreadOrigins else { return }
        let names = origins.map(\.name)
        for rule in rules {
            guard let name = rule.origin, !names.contains(name) else { continue }
            let hint =
                SpellingSuggestion.name(like: name, among: names).map { "did you mean `\($0)`?" }
                ?? (names.isEmpty
                    ? "define it under `origins:`"
                    : "expected \(names.map { "`\($0)`" }.alternatives)")
            diagnostics.add(
                Diagnostic(
                    at: rule.locations[.origin] ?? rule.location,
                    "`origin`: there is no origin `\(name)`: \(hint)"
                )
            )
        }
    }

    /// Checks that no route follows one that matches all of its requests.
    private mutating func checkOrder() {
        for (index, rule) in rules.enumerated() {
            guard let earlier = rules[..<index].first(where: { $0.covers(rule) }) else { continue }
            let line = earlier.location.line.map { " in line \($0)" } ?? ""
            let message = "the route `\(rule.name)` never matches: `\(earlier.name)`\(line) matches all of its requests"
            diagnostics.add(Diagnostic(at: rule.locations[.path] ?? rule.location, message))
        }
    }
}
