import HTTPCaching
import HTTPTypes
import Larder

/// What a request says of the way it came, as an origin is told it.
///
/// Frameworks make links, redirects and decisions of these fields. What a client writes into them would be stored in
/// the answer for everybody ("web cache poisoning"), so none of them passes: those that are true of every request are
/// written again, the others are taken off. What does not get here needs no place in the key.
///
/// What trusted proxies say (``ForwardedChain``) is true, too, and the gateway appends to it. Of their fields those
/// pass that are in the key (scheme and host) or that nothing is stored by (addresses); the rest is taken off, since a
/// proxy passes on what its client wrote there.
struct ForwardedFields: Sendable {
    /// What is known about the client, and the proxies between it and this gateway.
    var sender: Sender
    /// `http` or `https`, as the client spoke.
    var scheme: String
    /// The host that the client named, with its port, as the key has it.
    var authority: String
    /// What this gateway calls itself in `Via`.
    var via: String

    /// The fields by which a request asks to be handled as one of another method. They belong to a POST, which changes
    /// something either way. A GET or HEAD with one would fill the store with the response to another method, or change
    /// something without invalidating it.
    static let methodOverrides: Set<String> = ["x-http-method-override", "x-http-method", "x-method-override"]

    /// Returns true if no client decides what a field of a request with this method says: the gateway writes it, or
    /// takes it off (``ProxyFields``).
    static func owns(_ name: HTTPField.Name, in method: HTTPRequest.Method = .get) -> Bool {
        let canonical = name.canonicalName
        if methodOverrides.contains(ProxyFields.hyphenated(canonical)) { return method == .get || method == .head }
        return ProxyFields.contain(canonical)
    }

    /// Writes them into a request on its way to an origin.
    func write(to request: inout HTTPRequest) {
        let method = request.method
        request.headerFields.removeAll { Self.owns($0.name, in: method) }
        write(to: &request.headerFields)
    }

    private func write(to fields: inout HTTPFields) {
        // Never without a word: an origin may take what has none for its own machine's (RFC 7239 §6.2).
        fields[.xForwardedFor] = sender.addresses
        fields[.xRealIP] = sender.client ?? "unknown"
        if let forwarded = sender.forwarded(authority) { fields[.forwarded] = forwarded }
        fields[.xForwardedHost] = authority
        fields[.xForwardedProto] = scheme
        fields[.xForwardedPort] = port
        // "An intermediary […] MUST send an appropriate Via header field in each inbound request" (RFC 9110 §7.6.3).
        fields.append(HTTPField(name: .via, value: via))
    }

    /// Has an answer that differs by the client's address kept for nobody.
    ///
    /// The cache would tell such answers apart by what clients write into these fields, which the origin does not see:
    /// one client would get what was made for another. Of scheme, host and port every key tells; the fields that are
    /// taken off say the same of all requests.
    static func confine(_ answer: inout HTTPFields) {
        let varies = FieldList.members(of: .vary, in: answer).contains {
            HTTPField.Name(String($0)).map(Sender.addressFields.contains) == true
        }
        if varies { answer[.vary] = "*" }
    }

    /// The port that the client named, or the scheme's own.
    private var port: String {
        let host = authority.utf8.last == UInt8(ascii: "]") ? "" : authority
        let digits = host.utf8.lastIndex(of: UInt8(ascii: ":")).map { String(host[host.index(after: $0)...]) }
        return digits.flatMap { $0.isEmpty ? nil : $0 } ?? (scheme == "https" ? "443" : "80")
    }
}

extension HTTPField.Name {
    /// `Forwarded` (RFC 7239).
    static let forwarded = constant("Forwarded")
    static let xForwardedHost = constant("X-Forwarded-Host")
    static let xForwardedProto = constant("X-Forwarded-Proto")
    fileprivate static let xForwardedPort = constant("X-Forwarded-Port")
    /// `Via` (RFC 9110 §7.6.3).
    static let via = constant("Via")
    /// `Max-Forwards` (RFC 9110 §7.6.2).
    static let maxForwards = constant("Max-Forwards")
    /// `Proxy-Status` (RFC 9209).
    static let proxyStatus = constant("Proxy-Status")
}
