import HTTPCaching

/// The address of an origin: `https://api.example.org:8443`.
public struct OriginAddress: Hashable, Sendable, CustomStringConvertible {
    /// True if requests are sent over TLS.
    public let isSecure: Bool
    /// The host, as a name or an address, in lower case, IPv6 without brackets.
    public let host: String
    /// The port, from 1 to 65535.
    public let port: Int

    /// The expected form of an address, for messages.
    static let expectation = "a URL such as http://127.0.0.1:3000 or https://api.example.org, without a path"

    /// Creates an address from `http://host`, `https://host:port` or `http://[::1]:3000`, each with or without a `/` at
    /// its end. Returns nil for any other text, such as a URL with a path, a query, or a user.
    public init?(_ url: String) {
        guard let uri = AbsoluteURI(url), uri.scheme == "http" || uri.scheme == "https",
            uri.rest.isEmpty || uri.rest == "/", let parts = Authority(uri.authority), parts.isPlain, parts.port != 0,
            uri.authority.utf8.last != ASCII.colon
        else { return nil }
        self.init(
            isSecure: uri.isHTTPS,
            host: parts.host.lowercased(),
            port: parts.port ?? (uri.isHTTPS ? 443 : 80)
        )
    }

    private init(isSecure: Bool, host: String, port: Int) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }

    /// A placeholder for an address that is missing or could not be read, with which the rest of a configuration is
    /// checked.
    static let unknown = OriginAddress(isSecure: false, host: "unknown.invalid", port: 80)

    /// The scheme: `http` or `https`.
    public var scheme: String { isSecure ? "https" : "http" }

    /// The value of `Host` for this origin: host and port, IPv6 in brackets, without the default port of the scheme.
    public var authority: String {
        let host = Authority.bracketed(host)
        return port == (isSecure ? 443 : 80) ? host : "\(host):\(port)"
    }

    public var description: String { "\(scheme)://\(authority)" }
}

/// The address on which the gateway listens: `127.0.0.1:8000`, `[::]:443`; with port 0 the system chooses a free port.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// The host, as a name or an address, IPv6 without brackets.
    public let host: String
    /// The port, from 0 to 65535.
    public let port: Int

    /// The expected form of an address, for messages.
    static let expectation = "host:port, such as 127.0.0.1:8000 or [::1]:8000"

    /// Creates an address from a host and a port.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Creates an address from `host:port`. Returns nil for any other text.
    public init?(_ text: String) {
        guard let parts = Authority(text), parts.isPlain, let port = parts.port else { return nil }
        self.init(host: parts.host.lowercased(), port: port)
    }

    public var description: String { "\(Authority.bracketed(host)):\(port)" }

    /// True if only clients on this machine can connect.
    public var isLoopback: Bool {
        let addresses = MachineAddress.addresses(of: host)
        return !addresses.isEmpty && addresses.allSatisfy(\.isLoopback)
    }

    /// Returns true if requests to an origin would arrive here: the ports are equal, and the hosts are equal or both
    /// stand for this machine.
    func isReached(by origin: OriginAddress) -> Bool {
        guard port == origin.port else { return false }
        func name(_ host: String) -> Substring { host.hasSuffix(".") ? host.dropLast() : host[...] }
        if name(host) == name(origin.host) { return true }
        let own = MachineAddress.addresses(of: host)
        return MachineAddress.addresses(of: origin.host).contains { address in
            // A connection to the unspecified address reaches this machine. A socket on `::` accepts IPv4, too.
            own.contains { mine in
                if mine.isUnspecified {
                    return (address.isLoopback || address.isUnspecified) && (!mine.isIPv4 || address.isIPv4)
                }
                if address.isUnspecified { return mine.isLoopback && mine.isIPv4 == address.isIPv4 }
                return mine == address
            }
        }
    }
}

/// The addresses that a host stands for, if they are known without DNS.
private enum MachineAddress {
    private static let loopback = [IPAddress("127.0.0.1"), IPAddress("::1")].compactMap { $0 }

    static func addresses(of host: String) -> [IPAddress] {
        var host = host[...]
        if host.hasSuffix(".") { host.removeLast() }
        if host == "localhost" || host.hasSuffix(".localhost") { return loopback }
        if let address = IPAddress(host.prefix { $0 != "%" }) { return [address] }
        // `127.1`, `0x7f000001` and similar texts are addresses to resolvers.
        return IPAddress(anySpelling: String(host)).map { [$0] } ?? []
    }
}
