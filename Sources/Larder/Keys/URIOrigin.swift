import HTTPCaching
package import HTTPTypes

/// The scheme, host and port of a request in a normalized spelling: `https://example.org`.
struct URIOrigin: Hashable, Sendable, CustomStringConvertible {
    let scheme: String
    /// The host and port: lower case, without a dot at the end of the host, without the scheme's standard port, and
    /// without leading zeros in another port.
    let authority: String

    var description: String { scheme + "://" + authority }

    /// Creates the origin of a request; nil if the request does not name one, or one with bytes that no host may have
    /// (RFC 3986 §3.2.2), above all a slash, which would forge a path. User information is not allowed either, so `@`
    /// is not legal.
    init?(_ request: HTTPRequest) {
        guard let authority = request.authority else { return nil }
        self.init(scheme: request.scheme ?? "http", authority: authority)
    }

    /// Creates the origin of a scheme and an authority; nil in the same cases.
    init?(scheme: String, authority: String) {
        let scheme = scheme.lowercased()
        guard scheme == "http" || scheme == "https",
            let authority = Self.normalized(authority, standardPort: scheme == "https" ? 443 : 80)
        else { return nil }
        self.scheme = scheme
        self.authority = authority
    }

    /// Returns the normalized spelling of an authority; nil if the text is not an authority.
    private static func normalized(_ authority: String, standardPort: Int) -> String? {
        // Most authorities are in the normalized spelling already.
        let bytes = authority.utf8
        if bytes.allSatisfy(isPlain), let last = bytes.last, last != UInt8(ascii: ".") { return authority }
        return Authority(authority)?.normalized(defaultPort: standardPort)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), ASCII.hyphen, ASCII.dot: true
        default: false
        }
    }

    /// Returns the text of a key with its scheme and host in the normalized spelling; unchanged if it has none.
    static func normalizing(_ key: String) -> String {
        let start = "GET:"
        guard key.hasPrefix(start), let uri = AbsoluteURI(key.dropFirst(start.count)),
            let origin = URIOrigin(scheme: String(uri.scheme), authority: String(uri.authority))
        else { return key }
        return start + origin.description + uri.rest
    }
}

extension HTTPRequest {
    /// The host and port that the request names, as keys have them: in lower case, without a dot at the end and without
    /// the scheme's standard port; nil if the request does not name them. An origin whose responses are stored under
    /// such keys must get this spelling and no other: its response to another spelling would be stored for all clients.
    package var keyAuthority: String? { URIOrigin(self)?.authority }
}
