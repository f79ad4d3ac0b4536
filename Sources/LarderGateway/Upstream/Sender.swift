import HTTPCaching
import HTTPTypes
import NIOCore

/// Who sent a request: the client, and the proxies between it and this gateway.
struct Sender: Sendable {
    /// The address of the other end of the connection, or the one that the PROXY protocol gives for it; nil if that
    /// gives none, or the other end had left before it was asked for.
    let peer: String?
    /// What trusted proxies say about the request; nil if the peer is not one of them.
    let chain: ForwardedChain?
    /// The scheme of the connection.
    let connectionScheme: String
    /// The fields that tell the client's address to origins.
    static let addressFields = ClientAddress.fields + [.forwarded]

    /// Reads what is known of a request's sender.
    /// - Parameter kind: the fields that trusted proxies write; the others say nothing.
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

    /// `http` or `https`, as the client spoke.
    var scheme: String { chain?.scheme ?? connectionScheme }

    /// The value of `X-Forwarded-For`: `unknown` if the client is, the addresses that are believed, and the peer's.
    var addresses: String {
        let peer = peer ?? "unknown"
        guard let chain else { return peer }
        // An origin takes the leftmost for the client: a proxy must not stand there.
        let client = chain.client == nil ? ["unknown"] : []
        return (client + chain.addresses.map(\.description) + [peer]).joined(separator: ", ")
    }

    /// Returns the value of `Forwarded`, if a trusted proxy has begun one: its elements, and one for the peer.
    ///
    /// One host stands in it, in the spelling of the key, and with the element of whoever named it. Another, or another
    /// spelling, would come from a client and have no part in the key.
    /// - Parameter authority: The host that the client named, as the key has it.
    func forwarded(_ authority: String) -> String? {
        guard let chain, !chain.passedElements.isEmpty else { return nil }
        var elements = chain.passedElements
        let host = ";host=" + Self.quoted(authority)
        if chain.host != nil { elements[0] += host }
        let own = "for=" + Self.quoted(peer ?? "unknown") + ";proto=" + connectionScheme
        return (elements + [chain.host == nil ? own + host : own]).joined(separator: ", ")
    }

    /// An address or host as a value of `Forwarded`: IPv6 in brackets, and quoted (RFC 7239 §6).
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
