import Dispatch
import Foundation
import Logging
import NIOCore
import SystemErrors

/// The service manager that started this process, such as systemd, to which the process reports its state by the
/// protocol of `sd_notify(3)`: messages to a Unix socket that the environment names.
final class ServiceManager: Sendable {
    /// The environment variables of the protocol. They are removed once they are read, because they do not concern the
    /// processes that this one starts.
    private static let variables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]

    /// The longest time that sending one message takes: 1 second.
    private static let sendTimeout = timeval(tv_sec: 1, tv_usec: 0)

    /// The name of the socket; nil if there is no service manager.
    private let socketName: SocketName?
    /// The longest time between two signs of life that the service manager accepts; nil if it does not expect any.
    let watchdogTimeout: Duration?
    private let logger: Logger
    /// The queue on which messages are sent, in order.
    private let queue = DispatchQueue(label: "larder.service-manager")

    /// Reads, and removes, the variables of the protocol.
    init(logger: Logger) {
        let environment = ProcessInfo.processInfo.environment
        for name in Self.variables { unsetenv(name) }
        self.logger = logger
        let text = environment["NOTIFY_SOCKET"] ?? ""
        socketName = SocketName(text)
        if socketName == nil, !text.isEmpty {
            logger.warning(
                "NOTIFY_SOCKET is invalid: expected the path of a Unix socket, or @ and an abstract name",
                metadata: ["NOTIFY_SOCKET": "\(text)"]
            )
        }
        let isForThis = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        let timeout = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogTimeout = isForThis && timeout > 0 && socketName != nil ? .microseconds(timeout) : nil
    }

    /// Reports that the process serves clients.
    func reportReady(_ status: String) { send(["READY=1", Self.line(status)]) }

    /// Reports that the process reloads its configuration. Must be followed by ``reportReady(_:)``.
    func reportReloading(_ status: String) {
        // The service manager compares the time with that at which it requested the reload.
        let time = NIODeadline.now().uptimeNanoseconds / 1_000
        send(["RELOADING=1", "MONOTONIC_USEC=\(time)", Self.line(status)])
    }

    /// Reports that the process is stopping, and how long that may take.
    func reportStopping(_ status: String, within time: Duration) {
        let microseconds = time.components.seconds * 1_000_000
        send(["STOPPING=1", "EXTEND_TIMEOUT_USEC=\(microseconds)", Self.line(status)])
    }

    /// Reports what the process is doing, in words.
    func report(_ status: String) { send([Self.line(status)]) }

    /// Reports that the process works.
    func reportAlive() { send(["WATCHDOG=1"]) }

    private static func line(_ status: String) -> String {
        "STATUS=" + (status.split(whereSeparator: \.isNewline).first ?? "")
    }

    private func send(_ lines: [String]) {
        guard let socketName else { return }
        queue.async { [logger] in
            let code = socketName.send(Array(lines.joined(separator: "\n").utf8), timeout: Self.sendTimeout)
            guard code != 0 else { return }
            let reason = ErrorText.describe(IOError(errnoCode: code, reason: "sendto"))
            logger.warning("The service manager cannot be notified", metadata: ["error": "\(reason)"])
        }
    }
}

/// The address of a Unix datagram socket: a path, or an abstract name.
private struct SocketName: Sendable {
    private let bytes: [UInt8]

    /// Creates a name from a path, or from `@` and an abstract name; nil for another text.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        // An abstract name begins with NUL in the address of a socket.
        let name = bytes.first == UInt8(ascii: "@") ? [0] + bytes.dropFirst() : bytes
        guard bytes.first == UInt8(ascii: "@") || bytes.first == UInt8(ascii: "/"), name.count > 1,
            name.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path), !name.dropFirst().contains(0)
        else { return nil }
        self.bytes = name
    }

    /// Sends one datagram. Blocks the thread while the receiver is busy, up to a timeout.
    /// - Returns: 0, or the error code of the system.
    func send(_ message: [UInt8], timeout: timeval) -> CInt {
        #if canImport(Darwin)
            let descriptor = socket(AF_UNIX, SOCK_DGRAM, 0)
            let flags: CInt = 0
        #else
            let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            let flags = CInt(MSG_NOSIGNAL)
        #endif
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var timeout = timeout
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let header = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        let sent = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                sendto(descriptor, message, message.count, flags, address, socklen_t(header + bytes.count))
            }
        }
        return sent < 0 ? errno : 0
    }
}
