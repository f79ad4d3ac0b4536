public import HTTPTypes

/// The fields that belong to one connection, and the fields that are not stored (RFC 9110 §7.6.1, RFC 9111 §3.1).
public enum HopByHop {
    /// Removes the fields of the connection from a message: the known ones, and those that `Connection` names.
    ///
    /// "Intermediaries MUST parse a received Connection header field before a message is forwarded and, for each
    /// connection-option in this field, remove any header or trailer field(s) from the message with the same name as
    /// the connection-option, and then remove the Connection header field itself." Decisions that depend on a field,
    /// such as ``Storability``, read the message before that: a client or an origin can name any field in `Connection`.
    public static func strip(_ fields: inout HTTPFields) {
        let named = Set(FieldList.members(of: .connection, in: fields).map(\.lowercasedASCII))
        fields.removeAll { isOfConnection($0.name) || named.contains($0.name.canonicalName) }
    }

    /// Removes from a request the fields that its `Connection` names, except those that frame its content. An origin
    /// server does not get these fields. If responses were looked up by them, a client could store the response to a
    /// request without `Accept-Language` for all clients that send one.
    package static func stripNamed(_ fields: inout HTTPFields) {
        // The values that most clients send name no field.
        guard let options = fields[.connection], options != "keep-alive", options != "close" else { return }
        let named = Set(FieldList.members(of: .connection, in: fields).map(\.lowercasedASCII))
            .subtracting(["keep-alive", "close", "content-length", "transfer-encoding"])
        guard !named.isEmpty else { return }
        fields.removeAll { named.contains($0.name.canonicalName) }
    }

    /// Returns the fields of a response as they are stored: without those of the connection, without `Age` (which
    /// ``Lifetimes`` holds), without those that `private="…"` and `no-cache="…"` name, and with a `Date`.
    /// - Parameters:
    ///   - response: The fields of the response.
    ///   - directives: The directives of the response.
    ///   - receivedAt: The time at which the response was received.
    public static func storedFields(
        of response: HTTPFields,
        directives: ResponseDirectives,
        receivedAt: Timestamp
    ) -> HTTPFields {
        var fields = response
        strip(&fields)
        // A Connection that names Vary must not merge the variants into one.
        fields[values: .vary] = response[values: .vary]
        let withheld = directives.withheldFields
        fields.removeAll { $0.name == .age || isNeverStored($0.name) || withheld.contains($0.name) }
        // "A recipient with a clock that receives a response message without a Date header field MUST record the time
        // it was received and append a corresponding Date header field to the message's header section if it is cached
        // or forwarded downstream." (RFC 9110 §6.6.1)
        if fields.date(.date, now: receivedAt) == nil {
            fields[.date] = HTTPDate.format(receivedAt)
        }
        return fields
    }

    /// Returns true for the fields of a connection: "Fields that are known to require removal before forwarding,
    /// whether or not they appear as a connection-option". These are those of RFC 9110 §7.6.1, `Trailer`, since
    /// trailers are not stored, and the field that HTTP/2 upgrades send.
    static func isOfConnection(_ name: HTTPField.Name) -> Bool {
        switch name.canonicalName {
        case "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
            "http2-settings":
            true
        default: false
        }
    }

    /// Returns true for the fields of a connection and of a proxy: "Header fields that are specific to the proxy that a
    /// cache uses when forwarding a request MUST NOT be stored [...]. Effectively, this is limited to
    /// Proxy-Authenticate, Proxy-Authentication-Info, and Proxy-Authorization."
    static func isNeverStored(_ name: HTTPField.Name) -> Bool {
        switch name {
        case .proxyAuthenticate, .proxyAuthenticationInfo, .proxyAuthorization: true
        default: isOfConnection(name)
        }
    }
}
