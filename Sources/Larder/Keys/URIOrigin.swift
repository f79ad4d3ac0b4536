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
        guard bytes.allSatisfy(isLegal) else { return nil }
        var host = authority.lowercased()[...]
        var port: Int?
        if let colon = host.utf8.lastIndex(of: UInt8(ascii: ":")), host.utf8.last != UInt8(ascii: "]") {
            let digits = host[colon...].utf8.dropFirst()
            guard digits.count <= 5, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            port = Int(Substring(digits))
            host = host[..<colon]
        }
        // A name with another colon is not valid, and neither is an address with only one of its brackets.
        let isAddress = host.utf8.first == UInt8(ascii: "[") && host.utf8.last == UInt8(ascii: "]")
        guard isAddress || !host.utf8.contains(where: { ":[]".utf8.contains($0) }) else { return nil }
        if host.hasSuffix("."), !host.hasSuffix("..") { host.removeLast() }
        guard !host.isEmpty else { return nil }
        return port.flatMap { $0 == standardPort ? nil : "\(host):\($0)" } ?? String(host)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// Returns the text of a key with its scheme and host in the normalized spelling; unchanged if it has none.
    static func normalizing(_ key: String) -> String {
        let start = "GET:"
        guard key.hasPrefix(start), let mark = key.firstRange(of: "://") else { return key }
        let rest = key[mark.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let scheme = key[key.index(key.startIndex, offsetBy: start.count)..<mark.lowerBound]
        guard let site = URIOrigin(scheme: String(scheme), authority: String(authority)) else { return key }
        return start + site.description + rest[authority.endIndex...]
    }

    private static func isLegal(_ byte: UInt8) -> Bool {
        PercentEncoding.isUnreserved(byte) || "%!$&'()*+,;=:[]".utf8.contains(byte)
    }
}

extension HTTPRequest {
    /// The host and port that the request names, as keys have them: in lower case, without a dot at the end and without
    /// the scheme's standard port; nil if the request does not name them. An origin whose responses are stored under
    /// such keys must get this spelling and no other: its response to another spelling would be stored for all clients.
    package var keyAuthority: String? { URIOrigin(self)?.authority }
}
