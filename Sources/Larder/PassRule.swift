public import HTTPTypes

/// Which requests of a route go past the cache: all, or those with one of some cookies, query parameters or fields.
public struct PassRule: Hashable, Sendable {
    /// The cookies that a request goes past the cache with.
    public var cookies: [NamePattern]
    /// The query parameters that it does so with, whatever their values.
    public var parameters: [NamePattern]
    /// The fields that it does so with, whatever their values; `Cookie` stands for any cookie.
    public var fields: [HTTPField.Name]
    /// The reason for which every request goes past the cache; nil where the lists decide.
    private var reasonForAll: PassReason?

    /// A rule for requests that have any of these.
    public init(cookies: [NamePattern] = [], parameters: [NamePattern] = [], fields: [HTTPField.Name] = []) {
        self.cookies = cookies
        self.parameters = parameters
        self.fields = fields
    }

    /// A rule for every request: nothing of the route is cached.
    public static let everything = everything(because: .rule)

    /// A rule for every request, for a reason of the program rather than of its configuration.
    package static func everything(because reason: PassReason) -> PassRule {
        var rule = PassRule()
        rule.reasonForAll = reason
        return rule
    }

    /// Returns why a request goes past the cache; nil where it does not.
    func reason(for request: HTTPRequest) -> PassReason? {
        if let reasonForAll { return reasonForAll }
        let applies =
            fields.contains(where: request.headerFields.contains) || hasParameter(request.path)
            || hasCookie(request.headerFields)
        return applies ? .rule : nil
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
        !cookies.isEmpty && CookieNames.contain(cookies, in: request)
    }

    private static func begins(_ pair: Substring.UTF8View, withNameOf patterns: [NamePattern]) -> Bool {
        let name = pair.prefix { $0 != UInt8(ascii: "=") }
        return patterns.contains { $0.matches(name) }
    }
}
