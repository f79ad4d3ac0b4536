/// What trusted proxies say about the client of a request, in the fields that they write: `X-Forwarded-For`, `-Proto`
/// and `-Host`, or `Forwarded` (RFC 7239).
///
/// A list of addresses is read from its right end, which the nearest proxy wrote: as long as an address is one of a
/// trusted proxy, the address on its left was written by that proxy and is believed. The first address that is not
/// trusted is the client's, and what stands on its left may be anything the client invented. If a trusted proxy wrote
/// something that is not an address, the client is unknown, and never one of the proxies.
///
/// Nearly all proxies write one kind of fields and pass on what their client wrote into the other. So one kind alone is
/// read.
public struct ForwardedChain: Hashable, Sendable {
    /// A kind of fields.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
        case xForwarded = "x-forwarded"
        /// `Forwarded`.
        case forwarded
    }

    /// The client's address: the first from the right that is not a trusted proxy's, or the peer's if it wrote nothing.
    /// Nil if the proxies do not tell.
    public var client: IPAddress?
    /// `http` or `https`, as the client spoke; nil if the proxies do not say.
    public var scheme: String?
    /// The host that the client named; nil if the proxies do not say.
    public var host: String?
    /// The addresses that are believed, the one nearest to the client first, without the peer.
    public var addresses: [IPAddress]
    /// The elements of `Forwarded` that are believed, as they were written; `for=unknown` for one that cannot be read.
    public var elements: [String] = []
    /// The same elements as an origin may see them: the scheme in its one spelling, and without hosts, which clients
    /// choose and spell. The host that is in the key belongs to the first of them.
    public var passedElements: [String] = []

    /// Creates the chain of a request that came straight from its client.
    public init(peer: IPAddress) {
        client = peer
        addresses = []
    }

    /// The fields of one kind, each with all its lines in order.
    public enum Fields: Hashable, Sendable {
        /// `X-Forwarded-For`, `-Proto` and `-Host`.
        case xForwarded(addresses: [String], schemes: [String], hosts: [String])
        /// `Forwarded`.
        case forwarded([String])

        fileprivate var isEmpty: Bool {
            switch self {
            case .xForwarded(let addresses, let schemes, let hosts):
                addresses.isEmpty && schemes.isEmpty && hosts.isEmpty
            case .forwarded(let lines): lines.isEmpty
            }
        }
    }

    /// Reads what a peer says. A trusted proxy that says nothing is the client itself, as when it asks for the health
    /// of the gateway.
    public init(peer: IPAddress, _ fields: Fields, trusting proxies: TrustedProxies) {
        self.init(peer: peer)
        guard proxies.contains(peer), !fields.isEmpty else { return }
        // It speaks for somebody else.
        client = nil
        switch fields {
        case .xForwarded(let addresses, let schemes, let hosts): read(addresses, schemes, hosts, trusting: proxies)
        case .forwarded(let lines): read(lines, trusting: proxies)
        }
    }
}

// MARK: - X-Forwarded-*

extension ForwardedChain {
    private mutating func read(
        _ lines: [String],
        _ schemes: [String],
        _ hosts: [String],
        trusting proxies: TrustedProxies
    ) {
        let items = Self.members(of: lines)
        // The place of what the last trusted proxy wrote.
        var place = items.endIndex
        while place > items.startIndex {
            place -= 1
            client = ForwardedNode.address(items[place])
            guard let address = client else { break }
            addresses.insert(address, at: 0)
            guard proxies.contains(address) else { break }
        }
        // Where every proxy has added a value to each field, those that belong to the client's address count; else the
        // nearest proxy's.
        func value(_ lines: [String]) -> String? {
            let values = Self.members(of: lines)
            return values.count == items.count && place < values.count ? values[place] : values.last
        }
        scheme = value(schemes).flatMap(Self.scheme)
        host = value(hosts)
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
    private mutating func read(_ lines: [String], trusting proxies: TrustedProxies) {
        var value = lines.joined(separator: ",").utf8[...]
        for _ in 0..<Self.limit {
            switch ForwardedElement.last(of: &value) {
            case .nothing: return
            case .malformed:
                // A trusted proxy wrote it, or has let it pass in the place of its own.
                client = nil
                elements.insert("for=unknown", at: 0)
                passedElements.insert("for=unknown", at: 0)
                return
            case .element(let element):
                // An element without an address tells nothing about who wrote what is on its left (RFC 7239 §6.3).
                scheme = element.scheme.flatMap(Self.scheme) ?? scheme
                host = element.host ?? host
                elements.insert(element.text, at: 0)
                passedElements.insert(element.passed.isEmpty ? "for=unknown" : element.passed, at: 0)
                client = element.address.flatMap(ForwardedNode.address)
                guard let address = client else { return }
                addresses.insert(address, at: 0)
                guard proxies.contains(address) else { return }
            }
        }
    }
}

/// One element of `Forwarded` (RFC 7239 §4): `for=192.0.2.60;proto=http;host=example.org`.
struct ForwardedElement: Hashable {
    /// The element as it was written.
    var text: String
    /// The parameters that an origin may see: not the host, and the scheme only if it is one.
    var passed = ""
    var address: String?
    var scheme: String?
    var host: String?

    /// What stands at the end of a field value.
    enum End: Hashable {
        case nothing
        case element(ForwardedElement)
        /// Something that is not written as RFC 7239 says.
        case malformed
    }

    /// The most commas in one element.
    private static let commaLimit = 16

    /// Takes the last element off a field value.
    ///
    /// What a client wrote on the left must not change how the elements of proxies are read, even if it begins a quote
    /// and does not end it. So the shortest end of the value behind a comma that is an element is the last element: one
    /// that begins within a quote is none, for the end of that quote has no beginning in it.
    static func last(of value: inout Substring.UTF8View) -> End {
        while let byte = value.last, isSpace(byte) || byte == UInt8(ascii: ",") { value.removeLast() }
        guard !value.isEmpty else { return .nothing }
        var start = value.endIndex
        for _ in 0...commaLimit {
            start = value[..<start].lastIndex(of: UInt8(ascii: ",")) ?? value.startIndex
            var reader = ForwardedReader(rest: value[start...])
            reader.skip { isSpace($0) || $0 == UInt8(ascii: ",") }
            if let element = reader.element(), reader.rest.isEmpty {
                value = value[..<start]
                return .element(element)
            }
            if start == value.startIndex { break }
        }
        return .malformed
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
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
            let parameter = rest
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
            let text = String(Substring(parameter[..<rest.startIndex]))
            if let passed = Self.passed(name, value, text) {
                element.passed += (element.passed.isEmpty ? "" : ";") + passed
            }
            guard let next = rest.first else { break }
            guard next == UInt8(ascii: ";") || next == UInt8(ascii: ",") || next == 0x20 || next == 0x09 else {
                return nil
            }
        }
        element.text = String(Substring(whole[start..<rest.startIndex]))
        return element.text.isEmpty ? nil : element
    }

    /// Returns a parameter as an origin may see it; nil if it may not.
    private static func passed(_ name: String, _ value: String, _ text: String) -> String? {
        switch name {
        case "host": nil
        case "proto": ["http", "https"].contains(value.lowercased()) ? "proto=" + value.lowercased() : nil
        default: text
        }
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
