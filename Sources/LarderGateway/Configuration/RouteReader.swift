import HTTPCaching
import HTTPTypes
import Larder
import Yams

/// A reader of one route of the file.
struct RouteReader {
    private var rule: RouteRule

    /// Returns the route that a node describes; nil if the node is not a mapping or is empty. Invalid values get a
    /// diagnostic, and the other keys are read.
    static func read(_ node: Node, _ diagnostics: inout DiagnosticList) -> RouteRule? {
        let pairs = diagnostics.pairs(of: node, "a route")
        guard !pairs.isEmpty else {
            if case .mapping = node { diagnostics.add("the route is empty: it needs a `path`", at: node) }
            return nil
        }
        var reader = RouteReader(rule: RouteRule(location: diagnostics.location(of: node)))
        let names = RouteRule.Key.allCases.map(\.rawValue)
        var isPathMisspelled = false
        for (name, at, value) in pairs {
            guard let key = RouteRule.Key(rawValue: name) else {
                let reference = "docs/gateway.md lists the keys of a route"
                let meant = diagnostics.addUnknown(name, at: at, among: names, reference)
                if meant.contains(RouteRule.Key.path.rawValue) { isPathMisspelled = true }
                continue
            }
            reader.rule.locations[key] = diagnostics.location(of: at)
            reader.read(key, value, &diagnostics)
        }
        if reader.rule.locations[.path] == nil, !isPathMisspelled {
            diagnostics.add(
                "`path` is missing; expected the paths that the route matches, such as /api/posts or /api/**",
                at: node
            )
        }
        return reader.rule
    }

    private mutating func read(_ key: RouteRule.Key, _ node: Node, _ diagnostics: inout DiagnosticList) {
        let name = key.rawValue
        switch key {
        case .path: readPath(node, &diagnostics)
        case .host:
            rule.host = diagnostics.value(node, name, expecting: HostPattern.expectation) { HostPattern($0) }
        case .origin: rule.origin = diagnostics.text(node, name, expecting: "the name of one of the `origins`")
        case .cache: rule.isCached = diagnostics.flag(node, name, "on", "off") ?? true
        case .ttl: rule.ttl = diagnostics.duration(node, name)
        case .forceTTL: rule.forceTTL = diagnostics.duration(node, name)
        case .errorTTL: rule.errorTTL = diagnostics.duration(node, name)
        case .staleWhileRevalidate: rule.staleWhileRevalidate = diagnostics.duration(node, name)
        case .staleIfError: rule.staleIfError = diagnostics.duration(node, name)
        case .staleAfter: rule.staleAfter = diagnostics.duration(node, name)
        case .clientDirectives: rule.clientDirectives = diagnostics.choice(node, name)
        case .vary: readVary(node, &diagnostics)
        case .cookies: rule.cookies = diagnostics.choice(node, name) ?? .forward
        case .credentials: readCredentials(node, &diagnostics)
        case .bypass: readBypass(node, &diagnostics)
        case .query: readQuery(node, &diagnostics)
        case .tags:
            rule.tags = diagnostics.values(node, name, expecting: CacheTag.expectation) { CacheTag(percentEncoded: $0) }
        case .invalidates: readInvalidates(node, &diagnostics)
        case .bodyLimit: rule.bodyLimit = diagnostics.bytes(node, name)
        case .tagLimit: rule.tagLimit = diagnostics.count(node, name, upTo: RouteRule.highestTagLimit)
        case .coalescingTimeout: rule.coalescingTimeout = diagnostics.duration(node, name)
        case .tagFields: rule.tagFields = diagnostics.fields(node, name)
        case .targetedFields: rule.targetedFields = diagnostics.fields(node, name)
        case .invalidateOnError:
            rule.invalidateOnError = diagnostics.flag(node, name, "true", "false") ?? false
        case .allowSetCookie: rule.allowSetCookie = diagnostics.flag(node, name, "true", "false") ?? false
        }
    }

    private mutating func readPath(_ node: Node, _ diagnostics: inout DiagnosticList) {
        let expectation = "a path such as /api/posts, /api/*/comments or /static/**"
        guard let text = diagnostics.text(node, "path", expecting: expectation) else { return }
        do {
            rule.path = try PathPattern(text)
        } catch {
            diagnostics.add("`path`: \(DiagnosticList.quoted(text)) \(error.description)", at: node)
        }
        let isPlaceholder = text.split(separator: "/").contains { $0.hasPrefix(":") || $0.hasPrefix("{") }
        if isPlaceholder {
            diagnostics.warn(
                "`path`: \(DiagnosticList.quoted(text)) has a placeholder, which is not special: `*` is any one segment",
                at: diagnostics.location(of: node)
            )
        }
    }

    private mutating func readVary(_ node: Node, _ diagnostics: inout DiagnosticList) {
        let credentials: Set<HTTPField.Name> = [.cookie, .authorization, .proxyAuthorization, .xAPIKey]
        for item in diagnostics.items(of: node, "vary") {
            guard let field = diagnostics.field(item, "vary") else { continue }
            if credentials.contains(field) {
                diagnostics.add(
                    "`vary`: `\(field)` is a secret, and keys are visible: use `bypass` for such requests",
                    at: item
                )
            } else if ClientAddress.fields.contains(field) {
                diagnostics.add(
                    "`vary`: `\(field)` is the client's address: responses that depend on it cannot be stored",
                    at: item
                )
            } else {
                rule.vary.append(field)
            }
        }
    }

    private mutating func readCredentials(_ node: Node, _ diagnostics: inout DiagnosticList) {
        let expectation = "names, or prefixes with a *, such as session or wordpress_*"
        for (key, at, value) in diagnostics.pairs(of: node, "`credentials`") {
            switch key {
            case "cookies":
                let names = diagnostics.values(value, "credentials: cookies", expecting: expectation) {
                    NamePattern($0)
                }
                rule.credentialCookies = names
            case "fields": rule.credentialFields = diagnostics.fields(value, "credentials: fields")
            default:
                let reference = "the keys of `credentials` are `cookies` and `fields`"
                diagnostics.addUnknown(key, at: at, among: ["cookies", "fields"], reference)
            }
        }
    }

    private mutating func readBypass(_ node: Node, _ diagnostics: inout DiagnosticList) {
        var bypass = BypassRule()
        let expectation = "names, or prefixes with a *, such as session or wordpress_*"
        for (key, at, value) in diagnostics.pairs(of: node, "`bypass`") {
            switch key {
            case "cookies":
                bypass.cookies = diagnostics.values(value, "bypass: cookies", expecting: expectation) {
                    NamePattern($0)
                }
            case "query":
                bypass.parameters = diagnostics.values(value, "bypass: query", expecting: expectation) {
                    NamePattern($0)
                }
            case "fields": bypass.fields = diagnostics.fields(value, "bypass: fields")
            default:
                let reference = "the keys of `bypass` are `cookies`, `query` and `fields`"
                diagnostics.addUnknown(key, at: at, among: ["cookies", "query", "fields"], reference)
            }
        }
        rule.bypass = bypass
    }

    private mutating func readQuery(_ node: Node, _ diagnostics: inout DiagnosticList) {
        let expectation = "names, or prefixes with a *, such as ref or utm_*"
        for (key, at, value) in diagnostics.pairs(of: node, "`query`") {
            guard key == "ignore" else {
                diagnostics.addUnknown(key, at: at, among: ["ignore"], "the only key of `query` is `ignore`")
                continue
            }
            rule.ignoredParameters = diagnostics.values(value, "query: ignore", expecting: expectation) {
                NamePattern($0)
            }
        }
    }

    private mutating func readInvalidates(_ node: Node, _ diagnostics: inout DiagnosticList) {
        let name = RouteRule.Key.invalidates.rawValue
        let expectation = "a tag, a path such as /posts, or a path and all paths below it, such as /posts/**"
        for item in diagnostics.items(of: node, name) {
            guard let text = diagnostics.text(item, name, expecting: expectation) else { continue }
            let shown = "`\(name)`: \(DiagnosticList.quoted(text))"
            if Self.isPathWithoutSlash(text) {
                let path = "/" + text
                let hint = Self.scope(path) == nil ? "expected \(expectation)" : "did you mean `\(path)`?"
                diagnostics.add("\(shown) looks like a path, and paths begin with /: \(hint)", at: item)
            } else if let scope = Self.scope(text) {
                rule.invalidates.append(scope)
            } else {
                diagnostics.add("\(shown) is invalid: expected \(expectation)", at: item)
            }
        }
    }

    /// Returns true if a text has a wildcard like a path and does not begin with a slash. Tags do not have wildcards,
    /// so such a text is a mistake.
    private static func isPathWithoutSlash(_ text: String) -> Bool {
        guard text.utf8.first != ASCII.slash else { return false }
        return text == "*" || text == "**" || text.contains("/*")
    }

    /// Returns the invalidation scope that a text names: a tag, a path, or all paths below a path.
    private static func scope(_ text: String) -> InvalidationScope? {
        guard text.utf8.first == ASCII.slash else { return CacheTag(percentEncoded: text).map(InvalidationScope.tag) }
        guard text.hasSuffix("/**") else {
            guard let pattern = try? PathPattern(text), pattern.isLiteral else { return nil }
            return .path(CachePath(text))
        }
        let prefix = String(text.dropLast(3))
        guard !prefix.isEmpty else { return .everything }
        guard let pattern = try? PathPattern(prefix), pattern.isLiteral else { return nil }
        return .prefix(CachePath(prefix))
    }
}

extension DiagnosticList {
    /// Returns true or false for one of two words; nil with a diagnostic for any other text.
    fileprivate mutating func flag(_ node: Node, _ key: String, _ yes: String, _ no: String) -> Bool? {
        value(node, key, expecting: "`\(yes)` or `\(no)`") { $0 == yes ? true : $0 == no ? false : nil }
    }

    /// Returns a number from 0 to `limit`; nil with a diagnostic for any other text.
    fileprivate mutating func count(_ node: Node, _ key: String, upTo limit: Int) -> Int? {
        value(node, key, expecting: "a number from 0 to \(limit)") { text in
            guard text.utf8.allSatisfy(ASCII.isDigit) else { return nil }
            return Int(text).flatMap { (0...limit).contains($0) ? $0 : nil }
        }
    }

    /// Returns the name of a field; nil with a diagnostic if the text is not one.
    fileprivate mutating func field(_ node: Node, _ key: String) -> HTTPField.Name? {
        value(node, key, expecting: "the name of a field, such as Accept-Language") { text in
            // A name that begins with a colon is a pseudo-header field (`:path`), not a field.
            text.utf8.first == UInt8(ascii: ":") ? nil : HTTPField.Name(text)
        }
    }

    /// Returns the names of fields.
    fileprivate mutating func fields(_ node: Node, _ key: String) -> [HTTPField.Name] {
        items(of: node, key).compactMap { field($0, key) }
    }
}
