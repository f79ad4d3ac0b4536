/// A host that the gateway serves, as the setting `hosts` names it: `example.org`, `*.example.org`, or either with a
/// port: `example.org:8443`.
public struct ServedHost: Hashable, Sendable, CustomStringConvertible {
    /// The expected form of a host, for messages.
    static let expectation = "a host such as api.example.org, \"*.example.org\" or api.example.org:8443"

    /// The pattern of the host names.
    public let pattern: HostPattern
    /// The port that requests may name, in addition to those that any request may name; nil if none is given.
    public let port: Int?

    /// Creates a host from a text. Returns nil if the text is not a host.
    public init?(_ text: String) {
        guard let authority = Authority(text) else { return nil }
        guard let pattern = HostPattern(String(authority.host)) else { return nil }
        self.pattern = pattern
        port = authority.port
        // A colon without a port is a typing error.
        if authority.port == nil, text.utf8.last == UInt8(ascii: ":") { return nil }
    }

    public var description: String { port.map { "\(pattern):\($0)" } ?? "\(pattern)" }
}

extension GatewaySettings {
    /// Returns the authority of a request as it is used in keys: without a dot at its end, and without the default port
    /// of its scheme. Returns nil if the host is not served.
    ///
    /// Any host name of the gateway can be written with any port and a dot at its end, and each spelling would be
    /// another key. So if ``hosts`` is not empty, a request may name no port, the default port of its scheme, the port
    /// that the gateway listens on, or a port that ``hosts`` gives.
    /// - Parameters:
    ///   - authority: The value of the client's `Host` or `:authority`.
    ///   - scheme: The scheme of the client's connection, `http` or `https`.
    ///   - port: The port that the gateway listens on; nil if it is not known.
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

/// The two parts of an authority. The host is unchanged and includes the brackets of an IPv6 address.
private struct Authority {
    let host: Substring
    /// The port, from 0 to 65535; nil if there is none, or if the colon is the last character.
    let port: Int?

    /// Creates the parts of an authority. Returns nil if the host is followed by anything but a port.
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
