public import HTTPTypes

/// Which requests of a route go past the cache: all, or those with one of some cookies, query parameters or fields.
public struct PassRule: Hashable, Sendable {
    /// The cookies that a request goes past the cache with.
    public var cookies: [NamePattern]
    /// The query parameters that it does so with, whatever their values.
    public var parameters: [NamePattern]
    /// The fields that it does so with, whatever their values; `Cookie` stands for any cookie.
    public var fields: [HTTPField.Name]
    private var isForAll = false

    /// A rule for requests that have any of these.
    public init(cookies: [NamePattern] = [], parameters: [NamePattern] = [], fields: [HTTPField.Name] = []) {
        self.cookies = cookies
        self.parameters = parameters
        self.fields = fields
    }

    /// A rule for every request: nothing of the route is cached.
    public static let everything: PassRule = {
        var rule = PassRule()
        rule.isForAll = true
        return rule
    }()

    /// Whether a request goes past the cache.
    func applies(to request: HTTPRequest) -> Bool {
        isForAll || fields.contains(where: request.headerFields.contains) || hasParameter(request.path)
            || hasCookie(request.headerFields)
    }

    private func hasParameter(_ target: String?) -> Bool {
        guard !parameters.isEmpty, let target, let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else {
            return false
        }
        // Some servers end a parameter at a semicolon. To go past the cache where they do not is only slower.
        let pairs = target.utf8[mark...].dropFirst().split { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: ";") }
        return pairs.contains { Self.begins($0, withNameOf: parameters) }
    }

    private func hasCookie(_ request: HTTPFields) -> Bool {
        guard !cookies.isEmpty else { return false }
        // HTTP/2 sends a cookie a field (RFC 9113 §8.2.3).
        return request.contains { field in
            guard field.name == .cookie else { return false }
            return field.value.utf8.split(separator: UInt8(ascii: ";")).contains { pair in
                Self.begins(pair.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }, withNameOf: cookies)
            }
        }
    }

    private static func begins(_ pair: Substring.UTF8View, withNameOf patterns: [NamePattern]) -> Bool {
        let name = pair.prefix { $0 != UInt8(ascii: "=") }
        return patterns.contains { $0.matches(name) }
    }
}
