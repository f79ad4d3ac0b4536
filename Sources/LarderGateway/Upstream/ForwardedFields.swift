import HTTPCaching
import HTTPTypes
import Larder

/// The fields of a request to an origin that describe the request's client and its path.
///
/// Frameworks build links and redirects from these fields, and make decisions by them. A client's values would become
/// part of a response that is stored for all clients ("web cache poisoning"), so none of them is forwarded. Fields
/// whose values the gateway knows for every request are written again, and the others are removed. Values that do not
/// reach the origin need no place in the key.
///
/// The values of trusted proxies (``ForwardedChain``) are correct as well, and the gateway appends to them. Of their
/// fields, those are forwarded that are in the key (scheme and host), or by which no response is stored (addresses).
/// The rest is removed, since a proxy forwards what its client wrote there.
struct ForwardedFields: Sendable {
    /// The client, and the proxies between it and this gateway, as far as they are known.
    var sender: Sender
    /// The scheme that the client used, `http` or `https`.
    var scheme: String
    /// The host that the client named, with its port, in the spelling of the key.
    var authority: String
    /// The name of this gateway in `Via`.
    var via: String
    /// The ID of the request, which a trusted proxy or this gateway has given it.
    var requestID: String

    /// The fields by which a request asks to be handled as a request with another method. They are forwarded with POST,
    /// which changes something either way. A GET or HEAD with one would fill the store with the response to another
    /// method, or change something without invalidating it.
    static let methodOverrides: Set<String> = ["x-http-method-override", "x-http-method", "x-method-override"]

    /// The canonical name of `X-Request-Id`. Software behind the gateway writes the ID into its logs.
    private static let requestID = HTTPField.Name.xRequestID.canonicalName

    /// Returns true if clients do not determine the value of a field in requests with this method, because the gateway
    /// writes or removes it (``ProxyFields``).
    static func owns(_ name: HTTPField.Name, in method: HTTPRequest.Method = .get) -> Bool {
        let canonical = name.canonicalName
        let name = ProxyFields.hyphenated(canonical)
        if methodOverrides.contains(name) { return method == .get || method == .head }
        return name == Self.requestID || ProxyFields.contain(canonical)
    }

    /// Writes the fields into a request to an origin.
    func write(to request: inout HTTPRequest) {
        let method = request.method
        request.headerFields.removeAll { Self.owns($0.name, in: method) }
        write(to: &request.headerFields)
    }

    private func write(to fields: inout HTTPFields) {
        // The fields always have a value: an origin may take a request without them for one from its own machine (RFC
        // 7239 §6.2).
        fields[.xForwardedFor] = sender.addresses
        fields[.xRealIP] = sender.client ?? "unknown"
        if let forwarded = sender.forwarded(authority) { fields[.forwarded] = forwarded }
        fields[.xForwardedHost] = authority
        fields[.xForwardedProto] = scheme
        fields[.xForwardedPort] = port
        fields[.xRequestID] = requestID
        // "An intermediary […] MUST send an appropriate Via header field in each inbound request" (RFC 9110 §7.6.3).
        fields.append(HTTPField(name: .via, value: via))
    }

    /// Prevents a response from being stored if it varies by the client's address, or by the identity of the request or
    /// its trace.
    ///
    /// The cache would select such responses by the values that clients write into these fields, which the origin does
    /// not see: one client would get the response that was made for another. Scheme, host and port are part of every
    /// key. The fields that are removed have the same value, none, in all requests.
    static func confine(_ answer: inout HTTPFields) {
        let varies = FieldList.members(of: .vary, in: answer).contains {
            HTTPField.Name(String($0)).map(unkeyed.contains) == true
        }
        if varies { answer[.vary] = "*" }
    }

    /// The fields that are not in any key, and by which no response is stored.
    private static let unkeyed = Set(Sender.addressFields + [.xRequestID] + TraceParent.fields)

    /// The port that the client named, or the default port of the scheme.
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
