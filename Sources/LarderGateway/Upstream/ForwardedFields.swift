import HTTPCaching
import HTTPTypes

/// What a request says of the way it came, as an origin is told it.
///
/// Frameworks make links, redirects and decisions of these fields. What a client writes into them would be stored in
/// the answer for everybody ("web cache poisoning"), so none of them passes: those that are true of every request are
/// written anew, the others are taken off. What does not get here needs no place in the key.
struct ForwardedFields: Sendable {
    /// The client's address.
    var peer: String?
    /// `http` or `https`, as the client spoke.
    var scheme: String
    /// The host that the client named, with its port.
    var authority: String
    /// What this gateway calls itself in `Via`.
    var via: String

    /// The fields that no client decides: written by the gateway, or taken off.
    static let names: Set<String> = [
        "forwarded", "x-forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-protocol",
        "x-forwarded-port", "x-forwarded-scheme", "x-forwarded-server", "x-forwarded-prefix", "x-forwarded-path",
        "x-forwarded-ssl", "x-forwarded-uri", "x-forwarded-url", "x-forwarded-by", "x-forwarded-method",
        "x-real-ip", "x-client-ip", "x-remote-ip", "x-remote-addr", "x-originating-ip", "x-cluster-client-ip",
        "true-client-ip", "cf-connecting-ip", "cf-connecting-ipv6", "fastly-client-ip", "x-azure-clientip",
        "x-host", "x-original-host", "x-http-host-override", "x-original-url", "x-rewrite-url", "x-original-uri",
        "x-url-scheme", "x-scheme", "front-end-https", "x-http-method-override", "x-http-method", "x-method-override",
        "x-wap-profile", "x-accel-internal", "x-sendfile-type",
    ]

    /// Writes them into a request on its way to an origin.
    func write(to fields: inout HTTPFields) {
        fields.removeAll { Self.names.contains($0.name.canonicalName) }
        if let peer {
            fields[.xForwardedFor] = peer
            fields[.xRealIP] = peer
        }
        fields[.xForwardedHost] = authority
        fields[.xForwardedProto] = scheme
        fields[.xForwardedPort] = port
        // "An intermediary […] MUST send an appropriate Via header field in each inbound request" (RFC 9110 §7.6.3).
        fields.append(HTTPField(name: .via, value: via))
    }

    /// The port that the client named, or the scheme's own.
    private var port: String {
        let host = authority.utf8.last == UInt8(ascii: "]") ? "" : authority
        let digits = host.utf8.lastIndex(of: UInt8(ascii: ":")).map { String(host[host.index(after: $0)...]) }
        return digits.flatMap { $0.isEmpty ? nil : $0 } ?? (scheme == "https" ? "443" : "80")
    }
}

extension HTTPField.Name {
    fileprivate static let xForwardedFor = named("X-Forwarded-For")
    fileprivate static let xForwardedHost = named("X-Forwarded-Host")
    fileprivate static let xForwardedProto = named("X-Forwarded-Proto")
    fileprivate static let xForwardedPort = named("X-Forwarded-Port")
    fileprivate static let xRealIP = named("X-Real-IP")
    /// `Via` (RFC 9110 §7.6.3).
    static let via = named("Via")
    /// `Max-Forwards` (RFC 9110 §7.6.2).
    static let maxForwards = named("Max-Forwards")
    /// `Proxy-Status` (RFC 9209).
    static let proxyStatus = named("Proxy-Status")

    private static func named(_ name: StaticString) -> HTTPField.Name {
        guard let name = HTTPField.Name("\(name)") else {
            preconditionFailure("a constant field name is not a token")
        }
        return name
    }
}
