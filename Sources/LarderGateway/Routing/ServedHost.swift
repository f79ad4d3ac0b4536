import HTTPCaching

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
        // A colon without a port is a typing error.
        guard let authority = Authority(text), text.utf8.last != ASCII.colon,
            let pattern = HostPattern(authority.bracketedHost)
        else { return nil }
        self.pattern = pattern
        port = authority.port
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
        let host = HostPattern.host(in: parts.bracketedHost)
        let standard = scheme == "https" ? 443 : 80
        let named = parts.port == standard ? nil : parts.port
        let isServed = hosts.contains { served in
            served.pattern.matches(host) && (named == nil || named == port || named == served.port)
        }
        guard isServed else { return nil }
        let name = parts.hostWithoutFinalDot
        return named.map { "\(name):\($0)" } ?? name
    }
}
