import HTTPCaching
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The listening sockets that a service manager opened and passed to this process (`sd_listen_fds(3)`): systemd for a
/// `.socket` unit, for example.
///
/// The gateway accepts connections on them and opens no sockets for the same purpose. So connections wait while the
/// gateway is restarted, and several gateways can share a socket.
public struct InheritedSockets: Hashable, Sendable {
    /// A listening socket, by its descriptor and the address to which it is bound.
    struct Socket: Hashable, Sendable {
        let descriptor: CInt
        /// The address in the form of the setting: `127.0.0.1:8000` or `unix:///run/larder.sock`.
        let address: String
    }

    /// The environment variables of the protocol. A process removes them once it has the sockets, because they do not
    /// concern the processes that it starts.
    public static let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]

    /// The maximum number of sockets: 64.
    static let limit = 64

    /// The number of the first descriptor (`SD_LISTEN_FDS_START`).
    private static let firstDescriptor: CInt = 3

    /// The sockets in place of the setting `listen`; empty if there is none.
    let listen: [Socket]
    /// The socket in place of the setting `admin-listen`; nil if there is none.
    let admin: Socket?

    /// No sockets.
    public static let none = InheritedSockets(listen: [], admin: nil)

    /// True if there is no socket.
    public var isEmpty: Bool { listen.isEmpty && admin == nil }

    private init(listen: [Socket], admin: Socket?) { (self.listen, self.admin) = (listen, admin) }

    /// Takes the sockets that the environment describes, and closes them in processes that this one starts. There are
    /// none if the variables are not set, or are meant for another process.
    /// - Parameters:
    ///   - environment: The variables of the process.
    ///   - process: The ID of the process.
    /// - Throws: A diagnostic if a descriptor is not a listening stream socket, or has an unknown name.
    public init(environment: [String: String], process: Int32) throws(Diagnostic) {
        guard let count = environment["LISTEN_FDS"], environment["LISTEN_PID"] == "\(process)" else {
            self = .none
            return
        }
        guard let number = Self.number(count), (1...Self.limit).contains(number) else {
            throw Self.diagnostic(
                "\(DiagnosticList.quoted(count)) is invalid: expected a number from 1 to \(Self.limit)"
            )
        }
        let names = try Self.names(environment["LISTEN_FDNAMES"], number)
        var (listen, admin): ([Socket], Socket?) = ([], nil)
        for (index, name) in names.enumerated() {
            let descriptor = Self.firstDescriptor + CInt(index)
            let socket = try ListeningSocket(descriptor, named: name)
            switch Self.purpose(of: name) {
            case .listen: listen.append(Socket(descriptor: descriptor, address: try socket.tcpAddress()))
            case .adminListen where admin == nil:
                admin = Socket(descriptor: descriptor, address: try socket.address())
            case .adminListen: throw Self.diagnostic("there are two sockets with the name `admin`: expected one")
            default:
                throw Self.diagnostic(
                    "the name \(DiagnosticList.quoted(name)) is unknown: expected `listen` or `admin` "
                        + "(FileDescriptorName= of the socket unit)"
                )
            }
        }
        self.init(listen: listen, admin: admin)
    }

    /// The addresses of the sockets, by the settings that they take the place of. Of several sockets for `listen`, the
    /// address is one that other machines can reach, if there is one.
    var addresses: [GatewaySetting: String] {
        var addresses: [GatewaySetting: String] = [:]
        let reachable = listen.first { ListenAddress($0.address)?.isLoopback != true }
        addresses[.listen] = (reachable ?? listen.first)?.address
        addresses[.adminListen] = admin?.address
        return addresses
    }

    private static func number(_ text: String) -> Int? {
        text.utf8.allSatisfy(ASCII.isDigit) ? Int(text) : nil
    }

    /// Returns the names of the descriptors, in order.
    private static func names(_ text: String?, _ count: Int) throws(Diagnostic) -> [String] {
        guard let text else { return Array(repeating: "", count: count) }
        let names = text.split(separator: ":", maxSplits: limit, omittingEmptySubsequences: false).map(String.init)
        guard names.count == count else {
            throw diagnostic("LISTEN_FDNAMES has \(names.count) names for \(count) descriptors: expected one for each")
        }
        return names
    }

    /// Returns the setting that a socket takes the place of; nil if its name is unknown. A socket unit without
    /// `FileDescriptorName=` passes its own name, which ends in `.socket`.
    private static func purpose(of name: String) -> GatewaySetting? {
        switch name {
        case "listen", "", "unknown": .listen
        case "admin": .adminListen
        default: name.hasSuffix(".socket") ? .listen : nil
        }
    }

    fileprivate static func diagnostic(_ message: String) -> Diagnostic {
        Diagnostic(at: .variable("LISTEN_FDS"), message)
    }
}

/// A descriptor that was checked to be a listening stream socket.
private struct ListeningSocket {
    private let label: String
    private let bound: SocketAddress

    /// Checks a descriptor, and marks it to be closed in processes that this one starts.
    init(_ descriptor: CInt, named name: String) throws(Diagnostic) {
        let label = "the descriptor \(descriptor)" + (name.isEmpty ? "" : " (\(DiagnosticList.quoted(name)))")
        let expected = "expected a listening stream socket (ListenStream= of the socket unit, with Accept=no)"
        func fault(_ reason: String) -> Diagnostic { InheritedSockets.diagnostic("\(label) \(reason): \(expected)") }
        let flags = fcntl(descriptor, F_GETFD)
        guard flags >= 0, fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) == 0 else { throw fault("is not open") }
        guard let type = Self.option(SO_TYPE, of: descriptor) else { throw fault("is not a socket") }
        #if canImport(Glibc)
            let stream = CInt(SOCK_STREAM.rawValue)
        #else
            let stream = CInt(SOCK_STREAM)
        #endif
        guard type == stream else { throw fault("is a socket of another type") }
        guard Self.option(SO_ACCEPTCONN, of: descriptor) == 1 else { throw fault("is a socket that does not listen") }
        guard let bound = Self.boundAddress(of: descriptor) else { throw fault("has no Internet or Unix address") }
        (self.label, self.bound) = (label, bound)
    }

    /// Returns the address and port of a TCP socket.
    func tcpAddress() throws(Diagnostic) -> String {
        guard let host = bound.ipAddress, let port = bound.port else {
            throw InheritedSockets.diagnostic(
                "\(label) is a Unix socket: expected a TCP socket, because only `admin` may be a Unix socket"
            )
        }
        return "\(ListenAddress(host: host, port: port))"
    }

    /// Returns the address and port of a TCP socket, or the path of a Unix socket.
    func address() throws(Diagnostic) -> String {
        guard case .unixDomainSocket = bound else { return try tcpAddress() }
        let path = bound.pathname ?? ""
        guard path.utf8.first == ASCII.slash else {
            throw InheritedSockets.diagnostic("\(label) is a Unix socket without a path: expected one with a path")
        }
        return "unix://\(path)"
    }

    private static func option(_ name: CInt, of descriptor: CInt) -> CInt? {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }

    private static func boundAddress(of descriptor: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            let isRead = storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                getsockname(descriptor, address, &size) == 0
            }
            guard isRead else { return nil }
            switch CInt(storage.pointee.ss_family) {
            case AF_INET:
                return storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_INET6:
                return storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_UNIX:
                return storage.withMemoryRebound(to: sockaddr_un.self, capacity: 1) { SocketAddress($0.pointee) }
            default: return nil
            }
        }
    }
}
