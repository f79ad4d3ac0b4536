import HTTPCaching

/// The client of a request, as trusted proxies describe it in the fields that they write: `X-Forwarded-For`, `-Proto`
/// and `-Host`, or `Forwarded` (RFC 7239).
///
/// A list of addresses is read from its right end, which the nearest proxy wrote. As long as an address is that of a
/// trusted proxy, that proxy wrote the address on its left, which is believed. The first address that is not trusted is
/// the client's; the addresses on its left may be the client's invention. If a trusted proxy wrote something that is
/// not an address, the client is unknown; it is never taken to be one of the proxies.
///
/// Nearly all proxies write one kind of fields and forward the other kind as their client wrote it. So only one kind is
/// read.
public struct ForwardedChain: Hashable, Sendable {
    /// A kind of fields.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
        case xForwarded = "x-forwarded"
        /// `Forwarded`.
        case forwarded
    }

    /// The client's address: the first from the right that is not a trusted proxy's, or the peer's address if the peer
    /// wrote nothing. Nil if the proxies do not give it.
    public var client: IPAddress?
    /// The scheme that the client used, `http` or `https`; nil if the proxies do not give it.
    public var scheme: String?
    /// The host that the client named; nil if the proxies do not give it.
    public var host: String?
    /// The addresses that are believed, the nearest to the client first, without the peer's.
    public var addresses: [IPAddress]
    /// The elements of `Forwarded` that are believed, as they were written; `for=unknown` for an element that cannot be
    /// read.
    public var elements: [String] = []
    /// The same elements as origins may see them: with the scheme in lower case, and without hosts, which clients
    /// choose and spell. The host that is in the key belongs to the first of them.
    public var passedElements: [String] = []

    /// Creates the chain of a request that was received from its client directly.
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

    /// Creates the chain that a peer's fields describe. A trusted proxy that writes no fields is the client itself, for
    /// example when it checks the gateway's health.
    public init(peer: IPAddress, _ fields: Fields, trusting proxies: TrustedProxies) {
        self.init(peer: peer)
        guard proxies.contains(peer), !fields.isEmpty else { return }
        // The proxy sends the request for another client.
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
        // The index of the item that the last trusted proxy wrote.
        var place = items.endIndex
        while place > items.startIndex {
            place -= 1
            client = ForwardedNode.address(items[place])
            guard let address = client else { break }
            addresses.insert(address, at: 0)
            guard proxies.contains(address) else { break }
        }
        // If every proxy has added a value to each field, the values that belong to the client's address count;
        // otherwise the nearest proxy's values do.
        func value(_ lines: [String]) -> String? {
            let values = Self.members(of: lines)
            return values.count == items.count && place < values.count ? values[place] : values.last
        }
        scheme = value(schemes).flatMap(Self.scheme)
        host = value(hosts)
    }

    /// Returns the members of comma-separated lines. If there are more than ``limit``, the leftmost are omitted.
    private static func members(of lines: [String]) -> [String] {
        lines.suffix(limit).flatMap { $0.split(separator: ",").suffix(limit).map(trimmed) }.filter { !$0.isEmpty }
            .suffix(limit)
    }

    /// The largest number of proxies that are followed.
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
                // A trusted proxy wrote it, or forwarded it instead of writing an element.
                client = nil
                elements.insert("for=unknown", at: 0)
                passedElements.insert("for=unknown", at: 0)
                return
            case .element(let element):
                // An element without an address does not show which proxy wrote the elements on its left (RFC 7239
                // §6.3).
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
    /// The parameters that origins may see: not the host, and the scheme only if it is `http` or `https`.
    var passed = ""
    var address: String?
    var scheme: String?
    var host: String?

    /// The end of a field value.
    enum End: Hashable {
        case nothing
        case element(ForwardedElement)
        /// Text that does not follow the syntax of RFC 7239.
        case malformed
    }

    /// The largest number of commas in one element.
    private static let commaLimit = 16

    /// Removes the last element from a field value, and returns it.
    ///
    /// Text that a client wrote on the left must not change how the elements of proxies are read, even if it opens a
    /// quoted string and does not close it. So the last element is the shortest text after a comma, at the end of the
    /// value, that is an element. Text that begins within a quoted string is not an element, because it closes a quoted
    /// string that it does not open.
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

    /// Reads `forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )`, with each parameter at most once.
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

    /// Returns a parameter as origins may see it; nil if they may not.
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
    /// Returns the address; nil for `unknown`, an obfuscated name, or other text that is not an address.
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

    /// Returns true if a text is a colon and a port, which may be obfuscated (RFC 7239 §6.2).
    private static func isPort(_ text: Substring, mayBeEmpty: Bool) -> Bool {
        if text.isEmpty { return mayBeEmpty }
        let port = text.utf8.dropFirst()
        return text.utf8.first == UInt8(ascii: ":") && !port.isEmpty
            && port.allSatisfy { ASCII.isLetter($0) || ASCII.isDigit($0) || "_.-".utf8.contains($0) }
    }
}
