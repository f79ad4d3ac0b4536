/// A host that the gateway serves, as the setting `hosts` names it: `example.org`, `*.example.org`, or either with a
/// port: `example.org:8443`.
public struct ServedHost: Hashable, Sendable, CustomStringConvertible {
    /// What a host looks like, for messages.
    static let expectation = "a host as api.example.org, \"*.example.org\" or api.example.org:8443"

    /// The names that it stands for.
    public let pattern: HostPattern
    /// The port that requests may name, beside those that any request may; nil if it gives none.
    public let port: Int?

    /// Reads a host; nil if it is not one.
    public init?(_ text: String) {
        guard let authority = Authority(text) else { return nil }
        guard let pattern = HostPattern(String(authority.host)) else { return nil }
        self.pattern = pattern
        port = authority.port
        // A colon with nothing behind it is a typing error.
        if authority.port == nil, text.utf8.last == UInt8(ascii: ":") { return nil }
    }

    public var description: String { port.map { "\(pattern):\($0)" } ?? "\(pattern)" }
}

extension GatewaySettings {
    /// Returns the authority of a request in the spelling that keys have: without a dot at its end, and without the
    /// port that its scheme goes by. Nil if it is not served.
    ///
    /// Any name that leads here can be given any port and a dot, and each would be another key. So with ``hosts`` a
    /// request names no port, that of its scheme, the one that the gateway listens on, or one that ``hosts`` gives.
    /// - Parameters:
    ///   - authority: what the client named as `Host` or `:authority`.
    ///   - scheme: `http` or `https`, as the client spoke.
    ///   - port: the port that the gateway listens on; nil if it is not known.
    public func served(_ authority: String, scheme: String, listeningOn port: Int?) -> String? {
        if hosts.isEmpty { return authority }
        guard let parts = Authority(authority) else { return nil }
        let host = HostPattern.host(in: String(parts.host))
        let standard = scheme == "https" ? 443 : 80
        let named = parts.port == standard ? nil : parts.port
        let isServed = hosts.contains { served in
            served.pattern.matches(host) && (named == nil || named == port || named == served.port)
        }
        guard isServed else { return nil }
        let name = parts.host.utf8.last == Byte.dot ? parts.host.dropLast() : parts.host
        return named.map { "\(name):\($0)" } ?? String(name)
    }
}

/// An authority in two parts, the host as it stands, with the brackets of an IPv6 address.
private struct Authority {
    let host: Substring
    /// From 0 to 65535; nil if there is none, or nothing behind the colon.
    let port: Int?

    /// Nil if what stands behind the host is no port.
    init?(_ text: String) {
        let end: String.Index?
        if text.utf8.first == UInt8(ascii: "[") {
            guard let bracket = text.utf8.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let next = text.utf8.index(after: bracket)
            guard next == text.endIndex || text.utf8[next] == UInt8(ascii: ":") else { return nil }
            end = next == text.endIndex ? nil : next
        } else {
            end = text.utf8.firstIndex(of: UInt8(ascii: ":"))
        }
        guard let end else {
            host = text[...]
            port = nil
            return
        }
        host = text[..<end]
        let digits = text[end...].dropFirst()
        guard !digits.isEmpty else {
            port = nil
            return
        }
        guard digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(digits), number <= 65_535
        else { return nil }
        port = number
    }
}
