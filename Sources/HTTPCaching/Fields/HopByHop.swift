public import HTTPTypes

/// The fields that belong to one connection, and those that are not stored (RFC 9110 §7.6.1, RFC 9111 §3.1).
public enum HopByHop {
    /// Takes the fields of the connection out of a message: the known ones, and those that `Connection` names.
    ///
    /// "Intermediaries MUST parse a received Connection header field before a message is forwarded and, for each
    /// connection-option in this field, remove any header or trailer field(s) from the message with the same name as
    /// the connection-option, and then remove the Connection header field itself." Whatever depends on a field, such as
    /// ``Storability``, looks at the message before: a client or an origin can name any field there.
    public static func strip(_ fields: inout HTTPFields) {
        let named = Set(FieldList.members(of: .connection, in: fields).map(\.lowercasedASCII))
        fields.removeAll { self.isOfConnection($0.name) || named.contains($0.name.canonicalName) }
    }

    /// Takes out of a request what its `Connection` names, but the fields that frame its content. A server that is
    /// asked does not get these: were answers looked for by them, a client could have the answer to a request without
    /// `Accept-Language` kept for everybody who sends one.
    package static func stripNamed(_ fields: inout HTTPFields) {
        // What most clients write names nothing.
        guard let options = fields[.connection], options != "keep-alive", options != "close" else { return }
        let named = Set(FieldList.members(of: .connection, in: fields).map(\.lowercasedASCII))
            .subtracting(["keep-alive", "close", "content-length", "transfer-encoding"])
        guard !named.isEmpty else { return }
        fields.removeAll { named.contains($0.name.canonicalName) }
    }

    /// The fields of a response as they are stored: without those of the connection, without `Age` (which the lifetimes
    /// hold), without those that `private="…"` and `no-cache="…"` name, and with a `Date`.
    /// - Parameter receivedAt: when the response was received.
    public static func storedFields(
        of response: HTTPFields,
        directives: ResponseDirectives,
        receivedAt: Timestamp
    ) -> HTTPFields {
        var fields = response
        self.strip(&fields)
        // A Connection that names Vary must not take the variants for one.
        fields[values: .vary] = response[values: .vary]
        let withheld = directives.withheldFields
        fields.removeAll { $0.name == .age || self.isNeverStored($0.name) || withheld.contains($0.name) }
        // "A recipient with a clock that receives a response message without a Date header field MUST record the time
        // it was received and append a corresponding Date header field to the message's header section if it is cached
        // or forwarded downstream." (RFC 9110 §6.6.1)
        if fields.date(.date, now: receivedAt) == nil {
            fields[.date] = HTTPDate.format(receivedAt)
        }
        return fields
    }

    /// "Fields that are known to require removal before forwarding, whether or not they appear as a connection-option":
    /// those of RFC 9110 §7.6.1, `Trailer`, since trailers are not kept, and what HTTP/2 upgrades send.
    static func isOfConnection(_ name: HTTPField.Name) -> Bool {
        switch name.canonicalName {
        case "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
            "http2-settings":
            true
        default: false
        }
    }

    /// "Header fields that are specific to the proxy that a cache uses when forwarding a request MUST NOT be stored
    /// [...]. Effectively, this is limited to Proxy-Authenticate, Proxy-Authentication-Info, and Proxy-Authorization."
    static func isNeverStored(_ name: HTTPField.Name) -> Bool {
        switch name {
        case .proxyAuthenticate, .proxyAuthenticationInfo, .proxyAuthorization: true
        default: self.isOfConnection(name)
        }
    }
}
