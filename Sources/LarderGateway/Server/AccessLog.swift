import HTTPCaching
import HTTPTypes
import Larder
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import SystemErrors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A service that writes one line for each request, in the Combined Log Format.
///
/// Requests only append to a buffer. The service writes the buffer every 250 milliseconds, on a thread that may block.
/// If writing does not keep up, lines are dropped and counted, and the number is logged with the next write. The log can
/// be turned on and off while the service runs.
final class AccessLog: Service {
    /// The largest size of the text that waits to be written, in bytes: 4 MiB.
    static let limit = 4 << 20

    private struct State {
        var text: [UInt8] = []
        var dropped = 0
    }

    private let state = NIOLockedValueBox(State())
    private let file: NIOLockedValueBox<LogFile?>
    private let isOpen: Synchronization.Atomic<Bool>
    private let clock: WallClock
    private let logger: Logger

    /// Creates a log that appends to a file.
    /// - Parameter path: The path of the file; `-` for standard output; nil if the log is off.
    /// - Throws: `IOError` if the file cannot be opened.
    init(path: String?, clock: WallClock, logger: Logger) throws {
        self.file = NIOLockedValueBox(try path.map { try LogFile(path: $0) })
        self.isOpen = .init(path != nil)
        self.clock = clock
        self.logger = logger
    }

    /// True if requests are logged.
    var isOn: Bool { isOpen.load(ordering: .relaxed) }

    /// Adds the line of an answered request.
    func note(_ entry: AccessLogEntry, status: Int, bytes: Int) {
        let line = entry.line(status: status, bytes: bytes, at: clock.now)
        state.withLockedValue { state in
            guard state.text.count + line.utf8.count <= Self.limit else {
                state.dropped += 1
                return
            }
            state.text.append(contentsOf: line.utf8)
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await self.clock.sleep(for: .milliseconds(250))) != nil { await self.flush() }
        }
        await flush()
    }

    /// Opens the file again, after a log rotation has moved it away.
    func reopen() {
        do { try file.withLockedValue { $0 }?.reopen() } catch {
            logger.error("The access log cannot be opened", metadata: ["error": "\(ErrorText.describe(error))"])
        }
    }

    /// Writes to another file from now on.
    func open(_ path: String) throws {
        if let file = file.withLockedValue({ $0 }) { return try file.open(path) }
        let fresh = try LogFile(path: path)
        file.withLockedValue { $0 = fresh }
        isOpen.store(true, ordering: .relaxed)
    }

    /// Turns the log off, once the lines of all requests so far are written.
    func close() {
        isOpen.store(false, ordering: .relaxed)
        let old = file.withLockedValue { file in
            defer { file = nil }
            return file
        }
        if let old { write(takeText(), to: old) }
    }

    /// Returns the path that a setting names, `-` for standard output; nil if there is no log.
    static func path(_ setting: GatewaySettings.AccessLog) -> String? {
        switch setting {
        case .off: nil
        case .standardOutput: "-"
        case .file(let name): name
        }
    }

    private func flush() async {
        guard let file = file.withLockedValue({ $0 }) else { return }
        let text = takeText()
        guard !text.isEmpty else { return }
        // The future is awaited even if the task is cancelled, so that the last lines are written, too.
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        try? await NIOThreadPool.singleton.runIfActive(eventLoop: loop) { self.write(text, to: file) }.get()
    }

    /// Takes the text that waits to be written.
    private func takeText() -> [UInt8] {
        let (text, dropped) = state.withLockedValue { state in
            defer { state = State() }
            return (state.text, state.dropped)
        }
        if dropped > 0 {
            logger.warning("The access log is too slow: lines were dropped", metadata: ["dropped-lines": "\(dropped)"])
        }
        return text
    }

    private func write(_ text: [UInt8], to file: LogFile) {
        do { try file.write(text) } catch {
            logger.error("The access log cannot be written", metadata: ["error": "\(ErrorText.describe(error))"])
        }
    }
}

/// The properties of a request that its line in the access log shows.
struct AccessLogEntry: Sendable {
    var peer: String?
    var method: String
    var target: String
    var version: String
    var referer: String?
    var agent: String?

    /// Returns the line, such as `127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a HTTP/1.1" 200 12 "-"
    /// "curl/8.5.0"`.
    fileprivate func line(status: Int, bytes: Int, at now: Timestamp) -> String {
        var line = (peer ?? "-") + " - - [" + Self.time(now) + "] \""
        line += Self.escaped(method) + " " + Self.escaped(target) + " " + Self.escaped(version) + "\" \(status) "
        line += bytes == 0 ? "-" : "\(bytes)"
        line += " \"" + (referer.map(Self.escaped) ?? "-") + "\" \"" + (agent.map(Self.escaped) ?? "-") + "\"\n"
        return line
    }

    /// Returns `06/Nov/1994:08:49:37 +0000` for `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func time(_ now: Timestamp) -> String {
        let parts = HTTPDate.format(now).split(separator: " ")
        guard parts.count == 6 else { return "-" }
        return "\(parts[1])/\(parts[2])/\(parts[3]):\(parts[4]) +0000"
    }

    /// Returns a client's text, escaped so that it stays within one line and one pair of quotes.
    private static func escaped(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != 0x5C }
        if isPlain { return text }
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), 0x5C: escaped += "\\" + String(UnicodeScalar(byte))
            case 0x20...0x7E: escaped += String(UnicodeScalar(byte))
            default: escaped += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return escaped
    }
}

/// A file that is appended to, or standard output.
final class LogFile: Sendable {
    private let path: NIOLockedValueBox<String>
    private let descriptor: NIOLockedValueBox<CInt>

    init(path: String) throws {
        self.path = NIOLockedValueBox(path)
        descriptor = NIOLockedValueBox(try Self.open(path))
    }

    deinit { Self.close(descriptor.withLockedValue { $0 }) }

    /// Checks that a file can be appended to, and creates nothing.
    /// - Throws: The error that opening the file would throw.
    static func check(_ path: String) throws {
        let descriptor = systemOpen(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0)
        if descriptor >= 0 { return Self.close(descriptor) }
        let reason = errno
        guard reason == ENOENT else { throw IOError(errnoCode: reason, reason: path) }
        let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard access(directory, W_OK | X_OK) == 0 else { throw IOError(errnoCode: errno, reason: path) }
    }

    func write(_ bytes: [UInt8]) throws {
        try descriptor.withLockedValue { descriptor in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EINTR {
                    throw IOError(errnoCode: errno, reason: "write")
                }
            }
        }
    }

    func reopen() throws {
        let path = path.withLockedValue { $0 }
        if path != "-" { try open(path) }
    }

    func open(_ other: String) throws {
        let fresh = try Self.open(other)
        path.withLockedValue { $0 = other }
        let old = descriptor.withLockedValue { descriptor in
            defer { descriptor = fresh }
            return descriptor
        }
        Self.close(old)
    }

    private static func open(_ path: String) throws -> CInt {
        guard path != "-" else { return STDOUT_FILENO }
        // Opening a pipe that no process reads, or writing to a full one, must not block the gateway.
        let descriptor = systemOpen(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: path) }
        return descriptor
    }

    private static func close(_ descriptor: CInt) {
        if descriptor != STDOUT_FILENO { systemClose(descriptor) }
    }
}

private func systemOpen(_ path: String, _ flags: CInt, _ mode: mode_t) -> CInt { open(path, flags, mode) }
private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
private func systemClose(_ descriptor: CInt) { close(descriptor) }
