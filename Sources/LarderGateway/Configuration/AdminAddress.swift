/// The address on which the admin routes alone answer: `127.0.0.1:8001`, or a socket in the file system,
/// `unix:///run/larder.sock`.
public enum AdminAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host and a port.
    case address(ListenAddress)
    /// A Unix socket, by its path.
    case socket(path: String)

    /// What an address looks like, for messages.
    static let expectation = "host:port, as 127.0.0.1:8001, or unix:///path/to/socket"

    /// The longest path of a socket in bytes, by the least that systems take (`sun_path`).
    private static let maximumPathLength = 103

    /// Reads `host:port` or `unix:///path`; nil for anything else.
    public init?(_ text: String) {
        let scheme = "unix://"
        if text.hasPrefix(scheme) {
            let path = text.dropFirst(scheme.count)
            guard path.utf8.first == Byte.slash, path.utf8.last != Byte.slash,
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
