import HTTPCaching
public import HTTPTypes

/// The requests of a route that bypass the cache: all, or those with any of the named cookies, query parameters or
/// fields.
public struct BypassRule: Hashable, Sendable {
    /// The cookies with which a request bypasses the cache.
    public var cookies: [NamePattern]
    /// The query parameters with which a request bypasses the cache, whatever their values.
    public var parameters: [NamePattern]
    /// The fields with which a request bypasses the cache, whatever their values; `Cookie` stands for any cookie.
    public var fields: [HTTPField.Name]
    /// The reason for which every request bypasses the cache; nil if the lists decide.
    private var reasonForAll: BypassReason?

    /// Creates a rule for requests that have any of these.
    public init(cookies: [NamePattern] = [], parameters: [NamePattern] = [], fields: [HTTPField.Name] = []) {
        self.cookies = cookies
        self.parameters = parameters
        self.fields = fields
    }

    /// The rule for every request: nothing of the route is cached.
    public static let everything = everything(because: .rule)

    /// Returns a rule for every request, for a reason of the program rather than of its configuration.
    package static func everything(because reason: BypassReason) -> BypassRule {
        var rule = BypassRule()
        rule.reasonForAll = reason
        return rule
    }

    /// Returns the rule for the requests to which this rule or another applies.
    func adding(_ other: BypassRule) -> BypassRule {
        var rule = self
        rule.cookies.appendMissing(other.cookies)
        rule.parameters.appendMissing(other.parameters)
        rule.fields.appendMissing(other.fields)
        rule.reasonForAll = reasonForAll ?? other.reasonForAll
        return rule
    }

    /// Returns the reason for which a request bypasses the cache; nil if it does not.
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
        // Some servers end a parameter at a semicolon. A bypass for the others only costs time.
        for pair in query.split(whereSeparator: { "&;?".utf8.contains($0) }) where reader.reads(pair) { return true }
        return false
    }

    /// Returns the bytes after the first `?` of a target. An encoded `?` counts, too, because some servers begin the
    /// query there.
    private static func query(of target: String) -> Substring.UTF8View? {
        var rest = target.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "?") { return rest }
            guard let (decoded, after) = PercentEncoding.decode(byte, before: rest) else { continue }
            if decoded == UInt8(ascii: "?") { return after }
            // `%25`, and the character that it may encode in a second layer.
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
