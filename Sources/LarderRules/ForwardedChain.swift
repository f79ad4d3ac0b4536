/// What trusted proxies say about the client of a request: `Forwarded` (RFC 7239), or `X-Forwarded-For`, `-Proto` and
/// `-Host`.
///
/// A list of addresses is read from its right end, which the nearest proxy wrote: as long as an address is one of a
/// trusted proxy, the address on its left was written by that proxy and is believed. The first address that is not
/// trusted is the client's, and what stands on its left may be anything the client invented.
public struct ForwardedChain: Hashable, Sendable {
    /// The client's address: the first from the right that is not a trusted proxy's.
    public var client: IPAddress
    /// `http` or `https`, as the client spoke; nil if the proxies do not say.
    public var scheme: String?
    /// The host that the client named; nil if the proxies do not say.
    public var host: String?
    /// The addresses that are believed, the client's first, without the peer; empty if the peer is the client.
    public var addresses: [IPAddress]
    /// The elements of `Forwarded` that are believed, as they were written; empty if there are none.
    public var elements: [String] = []

    /// Creates the chain of a request that came straight from its client.
    public init(peer: IPAddress) {
        client = peer
        addresses = []
    }

    /// The fields that are read, each with all its lines in order.
    public struct Fields: Hashable, Sendable {
        public var forwarded: [String]
        public var addresses: [String]
        public var schemes: [String]
        public var hosts: [String]

        /// Creates a set of field lines.
        public init(
            forwarded: [String] = [],
            addresses: [String] = [],
            schemes: [String] = [],
            hosts: [String] = []
        ) {
            (self.forwarded, self.addresses, self.schemes, self.hosts) = (forwarded, addresses, schemes, hosts)
        }
    }

    /// Reads what a peer says.
    ///
    /// A proxy that writes one of the two kinds of fields passes on what its client wrote into the other. So if both
    /// are there and disagree about client, scheme or host, nothing is believed, as if the proxy were the client.
    public init(peer: IPAddress, _ fields: Fields, trusting proxies: TrustedProxies) {
        self.init(peer: peer)
        guard proxies.contains(peer) else { return }
        let hasOld = !(fields.addresses.isEmpty && fields.schemes.isEmpty && fields.hosts.isEmpty)
        let old = Self.reading(fields.addresses, fields.schemes, fields.hosts, peer: peer, trusting: proxies)
        guard !fields.forwarded.isEmpty else {
            if hasOld { self = old }
            return
        }
        guard let new = Self.reading(fields.forwarded, peer: peer, trusting: proxies) else { return }
        guard hasOld else {
            self = new
            return
        }
        guard fields.addresses.isEmpty || old.client == new.client,
            Self.agree(old.scheme, new.scheme), Self.agree(old.host?.lowercased(), new.host?.lowercased())
        else { return }
        self = new
        scheme = new.scheme ?? old.scheme
        host = new.host ?? old.host
        addresses = old.addresses.isEmpty ? new.addresses : old.addresses
    }

    private static func agree(_ one: String?, _ other: String?) -> Bool { one == nil || other == nil || one == other }
}

// MARK: - X-Forwarded-*

extension ForwardedChain {
    private static func reading(
        _ addresses: [String],
        _ schemes: [String],
        _ hosts: [String],
        peer: IPAddress,
        trusting proxies: TrustedProxies
    ) -> ForwardedChain {
        var chain = ForwardedChain(peer: peer)
        let items = members(of: addresses)
        var place = items.endIndex
        while place > items.startIndex, let address = ForwardedNode.address(items[place - 1]) {
            place -= 1
            chain.client = address
            chain.addresses.insert(address, at: 0)
            guard proxies.contains(address) else { break }
        }
        // Where every proxy has added a value to each field, those that belong to the client's address count; else the
        // nearest proxy's.
        func value(_ lines: [String]) -> String? {
            let values = members(of: lines)
            return values.count == items.count && place < values.count ? values[place] : values.last
        }
        chain.scheme = value(schemes).flatMap(scheme)
        chain.host = value(hosts)
        return chain
    }

    /// The members of comma-separated lines. More than ``limit`` are too many: the leftmost are left out.
    private static func members(of lines: [String]) -> [String] {
        lines.suffix(limit).flatMap { $0.split(separator: ",").suffix(limit).map(trimmed) }.filter { !$0.isEmpty }
            .suffix(limit)
    }

    /// The most proxies that are followed.
    static let limit = 64

    private static func trimmed(_ text: some StringProtocol) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        let bytes = Substring(text).utf8.drop(while: isSpace)
        let end = bytes.lastIndex { !isSpace($0) }
        return end.map { String(Substring(bytes[...$0])) } ?? ""
    }

    private static func scheme(_ text: String) -> String? {
        let text = text.lowercased()
        return text == "http" || text == "https" ? text : nil
    }
}

// MARK: - Forwarded

extension ForwardedChain {
    /// Returns nil if the field is not written as RFC 7239 says.
    private static func reading(
        _ lines: [String],
        peer: IPAddress,
        trusting proxies: TrustedProxies
    ) -> ForwardedChain? {
        guard let elements = ForwardedElement.elements(of: lines.joined(separator: ",")) else { return nil }
        var chain = ForwardedChain(peer: peer)
        for element in elements.suffix(limit).reversed() {
            // An element without an address tells nothing about who wrote what is on its left (RFC 7239 §6.3).
            chain.scheme = element.scheme.flatMap(scheme) ?? chain.scheme
            chain.host = element.host ?? chain.host
            chain.elements.insert(element.text, at: 0)
            guard let address = element.address.flatMap(ForwardedNode.address) else { break }
            chain.client = address
            chain.addresses.insert(address, at: 0)
            guard proxies.contains(address) else { break }
        }
        return chain
    }
}

/// One element of `Forwarded` (RFC 7239 §4): `for=192.0.2.60;proto=http;host=example.org`.
struct ForwardedElement: Hashable {
    /// The element as it was written.
    var text: String
    var address: String?
    var scheme: String?
    var host: String?

    /// Reads a field value; nil if it is not well-formed.
    static func elements(of value: String) -> [ForwardedElement]? {
        var reader = ForwardedReader(rest: Substring(value).utf8)
        var elements: [ForwardedElement] = []
        while true {
            reader.skip { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") }
            if reader.rest.isEmpty { return elements }
            guard let element = reader.element() else { return nil }
            elements.append(element)
            reader.skip { $0 == 0x20 || $0 == 0x09 }
            guard reader.rest.isEmpty || reader.rest.first == UInt8(ascii: ",") else { return nil }
        }
    }
}

private struct ForwardedReader {
    var rest: Substring.UTF8View

    mutating func skip(_ isSkipped: (UInt8) -> Bool) { rest = rest.drop(while: isSkipped) }

    /// `forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )`; each parameter once.
    mutating func element() -> ForwardedElement? {
        let start = rest.startIndex
        let whole = rest
        var element = ForwardedElement(text: "")
        var names: Set<String> = []
        while let byte = rest.first, byte != UInt8(ascii: ","), byte != 0x20, byte != 0x09 {
            if byte == UInt8(ascii: ";") {
                rest.removeFirst()
                continue
            }
            guard let name = token()?.lowercased(), rest.popFirst() == UInt8(ascii: "="),
                let value = rest.first == UInt8(ascii: "\"") ? quoted() : token(),
                names.insert(name).inserted
            else { return nil }
            switch name {
            case "for": element.address = value
            case "proto": element.scheme = value
            case "host": element.host = value
            default: break
            }
        }
        element.text = String(Substring(whole[start..<rest.startIndex]))
        return element.text.isEmpty ? nil : element
    }

    private mutating func token() -> String? {
        let token = rest.prefix { byte in
            (0x21...0x7E).contains(byte) && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
        }
        rest = rest[token.endIndex...]
        return token.isEmpty ? nil : String(Substring(token))
    }

    private mutating func quoted() -> String? {
        rest.removeFirst()
        var text: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { return nil }
                text.append(escaped)
            default: text.append(byte)
            }
        }
        return nil
    }
}

/// An address with or without a port, as proxies write them (RFC 7239 §6): `192.0.2.1:4711`, `[2001:db8::1]:4711`.
enum ForwardedNode {
    /// Returns the address; nil for `unknown`, an obfuscated name, or what is not an address.
    static func address(_ text: String) -> IPAddress? {
        if let address = IPAddress(text) { return address }
        let bytes = text.utf8
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let inner = Substring(bytes[..<end].dropFirst())
            guard isPort(Substring(bytes[bytes.index(after: end)...]), mayBeEmpty: true) else { return nil }
            return inner.utf8.contains(UInt8(ascii: ":")) ? IPAddress(inner) : nil
        }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), isPort(Substring(bytes[colon...]), mayBeEmpty: false)
        else { return nil }
        return IPAddress(Substring(bytes[..<colon]))
    }

    /// A colon and a port, which may be obfuscated (RFC 7239 §6.2).
    private static func isPort(_ text: Substring, mayBeEmpty: Bool) -> Bool {
        if text.isEmpty { return mayBeEmpty }
        let port = text.utf8.dropFirst()
        return text.utf8.first == UInt8(ascii: ":") && !port.isEmpty
            && port.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
