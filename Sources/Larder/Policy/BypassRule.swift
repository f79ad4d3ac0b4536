public import HTTPTypes

/// Which requests of a route go past the cache: all, or those with one of some cookies, query parameters or fields.
public struct BypassRule: Hashable, Sendable {
    /// The cookies that a request goes past the cache with.
    public var cookies: [NamePattern]
    /// The query parameters that it does so with, whatever their values.
    public var parameters: [NamePattern]
    /// The fields that it does so with, whatever their values; `Cookie` stands for any cookie.
    public var fields: [HTTPField.Name]
    /// The reason for which every request goes past the cache; nil where the lists decide.
    private var reasonForAll: BypassReason?

    /// A rule for requests that have any of these.
    public init(cookies: [NamePattern] = [], parameters: [NamePattern] = [], fields: [HTTPField.Name] = []) {
        self.cookies = cookies
        self.parameters = parameters
        self.fields = fields
    }

    /// A rule for every request: nothing of the route is cached.
    public static let everything = everything(because: .rule)

    /// A rule for every request, for a reason of the program rather than of its configuration.
    package static func everything(because reason: BypassReason) -> BypassRule {
        var rule = BypassRule()
        rule.reasonForAll = reason
        return rule
    }

    /// Returns why a request goes past the cache; nil where it does not.
    func reason(for request: HTTPRequest) -> BypassReason? {
        if let reasonForAll { return reasonForAll }
        let applies =
            fields.contains(where: request.headerFields.contains) || hasParameter(request.path)
            || hasCookie(request.headerFields)
        return applies ? .rule : nil
    }

    private func hasParameter(_ target: String?) -> Bool {
        guard !parameters.isEmpty, let target, let query = Self.query(of: target) else { return false }
        var reader = NameReader(parameters, endsAtDot: true)
        // Some servers end a parameter at a semicolon. To go past the cache where they do not is only slower.
        for pair in query.split(whereSeparator: { "&;?".utf8.contains($0) }) where reader.reads(pair) { return true }
        return false
    }

    /// Returns what follows the first `?` of a target, or an encoded one, where some servers begin the query, too.
    private static func query(of target: String) -> Substring.UTF8View? {
        var rest = target.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "?") { return rest }
            guard let (decoded, after) = PercentEncoding.decode(byte, before: rest) else { continue }
            if decoded == UInt8(ascii: "?") { return after }
            // `%25` and what it may be in a second layer.
            guard decoded == UInt8(ascii: "%") else { continue }
            if let (inner, end) = PercentEncoding.decode(decoded, before: after), inner == UInt8(ascii: "?") {
                return end
            }
        }
        return nil
    }

    private func hasCookie(_ request: HTTPFields) -> Bool {
        !cookies.isEmpty && CookieNames.contain(cookies, in: request)
    }
}
