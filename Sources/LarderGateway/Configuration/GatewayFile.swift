import Yams

/// A configuration file, read.
///
/// ```yaml
/// origin: http://127.0.0.1:3000
/// routes:
///   - path: /api/posts/**
///     ttl: 90s
/// ```
/// Keys at the top are settings, `origins`, `routes`, or begin with `x-`: those are passed over, and hold what aliases
/// refer to.
struct GatewayFile {
    /// The most routes of a file.
    static let routeLimit = 1_000

    /// A server that routes name.
    struct NamedOrigin {
        let name: String
        let address: OriginAddress
        let place: Diagnostic.Place
    }

    /// The settings it gives, as text.
    private(set) var settings: [GatewaySetting: SettingSources.Written] = [:]
    /// The servers it names.
    private(set) var origins: [NamedOrigin] = []
    /// Its routes, in order.
    private(set) var rules: [RouteRule] = []
    private(set) var findings: Findings
    /// Whether it is no YAML, so that nobody knows what it says.
    private(set) var isUnreadable = false

    /// A file that says nothing.
    init(name: String) { findings = Findings(name: name) }

    /// Reads a text.
    init(_ text: String, name: String) {
        self.init(name: name)
        let yaml = YAMLText(text, name: name)
        for diagnostic in yaml.diagnostics { findings.add(diagnostic) }
        guard let root = yaml.root else {
            isUnreadable = !yaml.diagnostics.isEmpty
            return
        }
        // A file with comments alone.
        if let scalar = root.scalar, scalar.string.isEmpty { return }
        for (key, at, value) in findings.pairs(of: root, "the file") {
            if let setting = GatewaySetting(rawValue: key) {
                if let text = setting.isList ? list(of: value, key) : self.text(of: value, key) {
                    settings[setting] = SettingSources.Written(text: text, place: findings.place(of: value))
                }
            } else if key == "origins" {
                readOrigins(value)
            } else if key == "routes" {
                readRoutes(value)
            } else if !key.hasPrefix("x-") {
                let names = ["origins", "routes"] + GatewaySetting.allCases.map(\.rawValue)
                findings.addUnknown(key, at: at, among: names, in: "the top of the file")
            }
        }
        checkOrigins()
        checkOrder()
    }

    /// The address that a name stands for.
    func origin(named name: String) -> OriginAddress? {
        origins.first { $0.name == name }?.address
    }

    /// The text of a setting; what is empty is for the reader of settings to say.
    private mutating func text(of node: Node, _ key: String) -> String? {
        if let scalar = node.scalar { return scalar.string }
        findings.add("`\(key)` is \(Findings.kind(of: node)): expected one value", at: node)
        return nil
    }

    /// The texts of a list, with commas between them, as the environment has it.
    private mutating func list(of node: Node, _ key: String) -> String? {
        guard case .sequence = node else { return text(of: node, key) }
        let texts = findings.items(of: node, key).compactMap { text(of: $0, key) }
        guard texts.allSatisfy({ !$0.contains(",") }) else {
            findings.add("`\(key)`: a value of the list has a comma in it", at: node)
            return nil
        }
        return texts.joined(separator: ", ")
    }

    private mutating func readOrigins(_ node: Node) {
        for (name, at, value) in findings.pairs(of: node, "`origins`") {
            let isName = (1...64).contains(name.utf8.count) && !name.contains("/")
            if !isName { findings.add("`\(name)` is no name of an origin: 1 to 64 characters without /", at: at) }
            let address = findings.value(value, name, expecting: OriginAddress.expectation) { OriginAddress($0) }
            // One whose address is wrong has a name all the same: who uses it is not wrong.
            guard isName else { continue }
            let origin = address ?? OriginAddress.unknown
            origins.append(NamedOrigin(name: name, address: origin, place: findings.place(of: at)))
        }
    }

    private mutating func readRoutes(_ node: Node) {
        guard case .sequence(let routes) = node else {
            findings.add("`routes` is \(Findings.kind(of: node)): expected a list, each with `- path:`", at: node)
            return
        }
        guard routes.count <= Self.routeLimit else {
            findings.add("`routes` has \(routes.count) routes: \(Self.routeLimit) at most", at: node)
            return
        }
        for route in routes {
            if let rule = RouteReader.read(route, &findings) { rules.append(rule) }
        }
    }

    /// Routes name origins that there are.
    private mutating func checkOrigins() {
        let names = origins.map(\.name)
        for rule in rules {
            guard let name = rule.origin, !names.contains(name) else { continue }
            let hint =
                SpellingSuggestion.name(like: name, among: names).map { "did you mean `\($0)`?" }
                ?? (names.isEmpty
                    ? "name it under `origins:`" : "there are \(names.map { "`\($0)`" }.joined(separator: ", "))")
            findings.add(Diagnostic(at: rule.places[.origin] ?? rule.place, "`origin`: no origin `\(name)`: \(hint)"))
        }
    }

    /// No route stands behind one that takes all of its requests.
    private mutating func checkOrder() {
        for (index, rule) in rules.enumerated() {
            guard let earlier = rules[..<index].first(where: { $0.covers(rule) }) else { continue }
            let line = earlier.place.line.map { " in line \($0)" } ?? ""
            let message = "the route `\(rule.name)` never matches: `\(earlier.name)`\(line) takes all of its requests"
            findings.add(Diagnostic(at: rule.places[.path] ?? rule.place, message))
        }
    }
}
