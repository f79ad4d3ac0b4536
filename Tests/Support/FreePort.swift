import NIOConcurrencyHelpers
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Ports of 127.0.0.1 for programs that a test starts.
public enum FreePort {
    /// The ports that were given to a program by this process.
    private static let taken = NIOLockedValueBox<Set<Int>>([])

    /// Returns a port that is not in use, and that stays free until its program listens and while the program is down.
    /// It lies below the ports that the system assigns to clients and to listeners on port 0, which would take it
    /// sooner or later.
    public static func take() throws -> Int {
        for _ in 0..<100 {
            let port = Int.random(in: 10_000..<32_000)
            guard taken.withLockedValue({ $0.insert(port).inserted }) else { continue }
            if try canListen(on: port) { return port }
        }
        throw Unusable(description: "there is no free port")
    }

    /// Returns true if a socket can listen on a port.
    ///
    /// The socket is closed in child processes. One of NIO would not be: a child that starts at this moment would
    /// listen on the port for as long as it runs.
    private static func canListen(on port: Int) throws -> Bool {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        #if canImport(Darwin)
            let descriptor = socket(AF_INET, SOCK_STREAM, 0)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        #else
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw Unusable(description: "no socket can be opened: error \(errno)") }
        defer { close(descriptor) }
        return address.withSockAddr { bind(descriptor, $0, socklen_t($1)) == 0 } && listen(descriptor, 1) == 0
    }
}
