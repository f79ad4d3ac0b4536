import HTTPCaching
import HTTPTypes
import NIOCore

/// The sender of a request: the client, and the proxies between it and this gateway.
struct Sender: Sendable {
    /// The address of the connection's peer, or the one that the PROXY protocol gives instead; nil if it does not give
    /// one, or if the peer had disconnected before its address was read.
    let peer: String?
    /// The description that trusted proxies give of the request's client; nil if the peer is not one of them.
    let chain: ForwardedChain?
    /// The scheme of the connection.
    let connectionScheme: String
    /// The fields that give the client's address to origins.
    static let addressFields = ClientAddress.fields + [.forwarded]

    /// Creates the sender of a request from its fields and its peer.
    /// - Parameter kind: The kind of fields that trusted proxies write; the other kind is ignored.
    init(
        _ head: HTTPRequest,
        peer: String?,
        scheme: String,
        trusting proxies: TrustedProxies,
        _ kind: ForwardedChain.Kind = .xForwarded
    ) {
        self.peer = peer
        self.connectionScheme = scheme
        guard !proxies.isEmpty, let address = peer.flatMap({ IPAddress($0) }), proxies.contains(address) else {
            self.chain = nil
            return
        }
        let fields = head.headerFields
        self.chain = ForwardedChain(
            peer: address,
            fields.forwarded(kind),
            trusting: proxies
        )
    }

    /// The client's address; nil if it is not known.
    var client: String? { chain.map { $0.client?.description } ?? peer }

    /// The scheme that the client used, `http` or `https`.
    var scheme: String { chain?.scheme ?? connectionScheme }

    /// The value of `X-Forwarded-For`: `unknown` if the client is unknown, then the addresses that are believed, and
    /// the peer's.
    var addresses: String {
        let peer = peer ?? "unknown"
        guard let chain else { return peer }
        // An origin takes the leftmost address for the client's, so a proxy's address must not be leftmost.
        let client = chain.client == nil ? ["unknown"] : []
        return (client + chain.addresses.map(\.description) + [peer]).joined(separator: ", ")
    }

    /// Returns the value of `Forwarded`, if a trusted proxy has begun one: its elements, and one for the peer.
    ///
    /// The value has one host, in the spelling of the key, in the element of the proxy or client that named it. Another
    /// host, or another spelling, would be a client's choice that is not part of the key.
    /// - Parameter authority: The host that the client named, in the spelling of the key.
    func forwarded(_ authority: String) -> String? {
        guard let chain, !chain.passedElements.isEmpty else { return nil }
        var elements = chain.passedElements
        let host = ";host=" + Self.quoted(authority)
        if chain.host != nil { elements[0] += host }
        let own = "for=" + Self.quoted(peer ?? "unknown") + ";proto=" + connectionScheme
        return (elements + [chain.host == nil ? own + host : own]).joined(separator: ", ")
    }

    /// Returns an address or host as a value of `Forwarded`: IPv6 in brackets, and quoted (RFC 7239 §6).
    private static func quoted(_ text: String) -> String {
        let isIPv6 = IPAddress(text) != nil && text.utf8.contains(UInt8(ascii: ":"))
        let text = isIPv6 ? "[\(text)]" : text
        let isToken = text.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
        }
        return isToken ? text : "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }
}

extension HTTPFields {
    /// Returns the fields of a kind.
    fileprivate func forwarded(_ kind: ForwardedChain.Kind) -> ForwardedChain.Fields {
        switch kind {
        case .xForwarded:
            .xForwarded(
                addresses: self[values: .xForwardedFor],
                schemes: self[values: .xForwardedProto],
                hosts: self[values: .xForwardedHost]
            )
        case .forwarded: .forwarded(self[values: .forwarded])
        }
    }
}
