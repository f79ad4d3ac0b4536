import HTTPCaching

/// The separate address of the admin routes: `127.0.0.1:8001`, or a socket in the file system,
/// `unix:///run/larder.sock`.
public enum AdminAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host and a port.
    case address(ListenAddress)
    /// A Unix socket, by its path.
    case socket(path: String)

    /// The expected form of an address, for messages.
    static let expectation = "host:port, such as 127.0.0.1:8001, or unix:///path/to/socket"

    /// The maximum length of a socket's path: 103 bytes, the least that supported systems allow (`sun_path`).
    private static let maximumPathLength = 103

    /// Creates an address from `host:port` or `unix:///path`. Returns nil for any other text.
    public init?(_ text: String) {
        let scheme = "unix://"
        if text.hasPrefix(scheme) {
            let path = text.dropFirst(scheme.count)
            guard path.utf8.first == ASCII.slash, path.utf8.last != ASCII.slash,
                path.utf8.count <= Self.maximumPathLength, path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else { return nil }
            self = .socket(path: String(path))
        } else {
            guard let address = ListenAddress(text) else { return nil }
            self = .address(address)
        }
    }

    /// True if only clients on this machine can connect.
    public var isLoopback: Bool {
        switch self {
        case .address(let address): address.isLoopback
        case .socket: true
        }
    }

    public var description: String {
        switch self {
        case .address(let address): "\(address)"
        case .socket(let path): "unix://\(path)"
        }
    }
}
