package import HTTPTypes

/// Scheme, host and port of a request in one spelling: `https://example.org`.
struct Site: Hashable, Sendable, CustomStringConvertible {
    let scheme: String
    /// Host and port: lower case, without the port that goes without saying.
    let authority: String

    var description: String { scheme + "://" + authority }

    /// The site a request is for; nil where it names none, or one with bytes that no host may have (RFC 3986 §3.2.2):
    /// a slash above all, which would forge a path. Nobody logs in to a host here: `@` is none of them either.
    init?(_ request: HTTPRequest) {
        guard let authority = request.authority else { return nil }
        self.init(scheme: request.scheme ?? "http", authority: authority)
    }

    /// The site of a scheme and an authority; nil as above.
    init?(scheme: String, authority: String) {
        let scheme = scheme.lowercased()
        guard scheme == "http" || scheme == "https", authority.utf8.allSatisfy(Self.isLegal) else { return nil }
        var host = authority.lowercased()[...]
        let standard = scheme == "https" ? ":443" : ":80"
        if host.hasSuffix(standard) { host.removeLast(standard.utf8.count) }
        if host.utf8.last == UInt8(ascii: ":") { host.removeLast() }
        guard !host.isEmpty else { return nil }
        self.scheme = scheme
        self.authority = String(host)
    }

    /// Returns the text of a key with its scheme and host in their one spelling; unchanged if it has none.
    static func normalizing(_ key: String) -> String {
        let start = "GET:"
        guard key.hasPrefix(start), let mark = key.firstRange(of: "://") else { return key }
        let rest = key[mark.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let scheme = key[key.index(key.startIndex, offsetBy: start.count)..<mark.lowerBound]
        guard let site = Site(scheme: String(scheme), authority: String(authority)) else { return key }
        return start + site.description + rest[authority.endIndex...]
    }

    private static func isLegal(_ byte: UInt8) -> Bool {
        PercentEncoding.isUnreserved(byte) || "%!$&'()*+,;=:[]".utf8.contains(byte)
    }
}

extension HTTPRequest {
    /// The host and port that the request names, as keys have them: in lower case, without the port that goes without
    /// saying; nil if it names none.
    package var keyAuthority: String? { Site(self)?.authority }
}
