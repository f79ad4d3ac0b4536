import NIOConcurrencyHelpers
public import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A socket that a test passes to programs, as a service manager does.
public final class ListeningSocket: Sendable {
    /// The descriptor of the socket in this process.
    public let descriptor: CInt
    /// The name of the socket for the programs that get it; nil for none.
    public let name: String?
    /// The port of the socket; 0 if its address has none.
    public let port: Int

    /// Opens a socket.
    /// - Parameters:
    ///   - name: The name of the socket; nil for none.
    ///   - address: The address; by default, a free port of 127.0.0.1.
    ///   - listens: True if the socket listens for connections.
    ///   - isStream: False for a socket that receives datagrams.
    public init(
        named name: String? = nil,
        at address: SocketAddress? = nil,
        listens: Bool = true,
        isStream: Bool = true
    ) throws {
        let address = try address ?? SocketAddress(ipAddress: "127.0.0.1", port: FreePort.take())
        port = address.port ?? 0
        self.name = name
        #if canImport(Darwin)
            descriptor = socket(CInt(address.protocol.rawValue), isStream ? SOCK_STREAM : SOCK_DGRAM, 0)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        #else
            let type = isStream ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue
            descriptor = socket(CInt(address.protocol.rawValue), CInt(type | SOCK_CLOEXEC.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw Unusable(description: "no socket can be opened: error \(errno)") }
        let isBound = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) == 0 }
        guard isBound, !listens || listen(descriptor, 4_096) == 0 else {
            throw Unusable(description: "a socket cannot listen on \(address): error \(errno)")
        }
    }

    deinit { close(descriptor) }

    /// Returns the variables by which a service manager describes sockets, except `LISTEN_PID`.
    static func environment(of sockets: [ListeningSocket]) -> [String: String] {
        var environment = ["LISTEN_FDS": "\(sockets.count)"]
        let names = sockets.compactMap(\.name)
        if !names.isEmpty { environment["LISTEN_FDNAMES"] = names.joined(separator: ":") }
        return environment
    }
}

/// A socket on which a test receives the messages that a program sends to its service manager (`sd_notify(3)`).
public final class NotificationSocket: Sendable {
    /// The value of `NOTIFY_SOCKET`.
    public let name: String
    private let descriptor: CInt
    private let received = NIOLockedValueBox<[String]>([])

    /// Opens a socket.
    /// - Parameter name: A path, or `@` and an abstract name.
    public init(_ name: String) throws {
        self.name = name
        #if canImport(Darwin)
            descriptor = socket(AF_UNIX, SOCK_DGRAM, 0)
        #else
            descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        #endif
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = name.utf8.map { $0 == UInt8(ascii: "@") ? 0 : $0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // The length is that of the name, because an abstract name may contain NUL.
        let header = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        let isBound = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, socklen_t(header + bytes.count)) == 0
            }
        }
        guard isBound else { throw Unusable(description: "no socket can be opened at \(name): error \(errno)") }
    }

    deinit { close(descriptor) }

    /// The messages so far.
    public var messages: [String] {
        received.withLockedValue { received in
            var buffer = [UInt8](repeating: 0, count: 8_192)
            while case let count = recv(descriptor, &buffer, buffer.count, CInt(MSG_DONTWAIT)), count > 0 {
                received.append(String(decoding: buffer.prefix(count), as: UTF8.self))
            }
            return received
        }
    }

    /// The lines of all messages so far, in order.
    public var lines: [Substring] { messages.flatMap { $0.split(separator: "\n") } }

    /// Waits until a line was received a number of times.
    public func receives(_ line: String, _ count: Int = 1) async throws {
        try await eventually("\(line) is received: \(messages)") { lines.count { $0 == line } >= count }
    }
}
