import HTTPTypes

/// Scheme, host and port of a request in one spelling: `https://example.org`.
struct Site: Hashable, Sendable, CustomStringConvertible {
    let scheme: String
    /// Host and port: lower case, without the port that goes without saying.
    let authority: String

    var description: String { scheme + "://" + authority }

    /// The site a request is for; nil where it names none, or one with bytes that no host may have (RFC 3986 §3.2.2):
    /// a slash above all, which would forge a path. Nobody logs in to a host here: `@` is none of them either.
    init?(_ request: HTTPRequest) {
        let scheme = (request.scheme ?? "http").lowercased()
        guard scheme == "http" || scheme == "https", let authority = request.authority,
            authority.utf8.allSatisfy(Self.isLegal)
        else { return nil }
        var host = authority.lowercased()[...]
        let standard = scheme == "https" ? ":443" : ":80"
        if host.hasSuffix(standard) { host.removeLast(standard.utf8.count) }
        if host.utf8.last == UInt8(ascii: ":") { host.removeLast() }
        guard !host.isEmpty else { return nil }
        self.scheme = scheme
        self.authority = String(host)
    }

    private static func isLegal(_ byte: UInt8) -> Bool {
        PercentEncoding.isUnreserved(byte) || "%!$&'()*+,;=:[]".utf8.contains(byte)
    }
}
