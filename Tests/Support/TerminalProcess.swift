import Foundation
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program that runs in a terminal of its own, whose keys a test presses and whose screen it reads.
public final class TerminalProcess: Sendable {
    private static let naming = NIOLockedValueBox(())

    private let process: ChildProcess
    private let descriptor: Int32
    private let shown = NIOLockedValueBox("")

    private init(_ program: URL, _ arguments: [String], _ environment: [String: String], _ size: winsize) throws {
        let path: String
        (descriptor, path) = try Self.open(size)
        process = try ChildProcess(program, arguments, environment: environment, terminal: path)
        let (descriptor, shown) = (descriptor, shown)
        Thread.detachNewThread {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(descriptor, &bytes, bytes.count)
                if count > 0 {
                    let text = String(decoding: bytes.prefix(count), as: UTF8.self)
                    shown.withLockedValue { $0 += text }
                } else if count == 0 || errno != EINTR {
                    // The last process of the terminal has closed it.
                    return
                }
            }
        }
    }

    /// Starts a program in a terminal, and ends it after `body`.
    /// - Parameter program: The name of a program that is built with the tests, or the path of another program.
    public static func run<Value: Sendable>(
        _ program: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        columns: Int = 100,
        rows: Int = 30,
        _ body: (TerminalProcess) async throws -> Value
    ) async throws -> Value {
        try await ProcessSlots.run {
            let path = URL(filePath: try ProgramProcess.path(of: program))
            let size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
            let terminal = try TerminalProcess(path, arguments, environment, size)
            defer {
                terminal.signal(SIGKILL)
                terminal.process.waitUntilExit()
                close(terminal.descriptor)
            }
            return try await body(terminal)
        }
    }

    /// The text that was written to the terminal so far, with its control sequences.
    public var output: String { shown.withLockedValue { $0 } }

    /// The exit status, negative if a signal ended the program; nil while it runs.
    public var exitStatus: Int32? { process.exitStatus }

    /// Presses keys.
    public func press(_ keys: String) throws {
        let bytes = Array(keys.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            throw Unusable(description: "the terminal takes no keys: error \(errno)")
        }
    }

    /// Gives the terminal another size, as a person who moves the edge of its window.
    public func resize(columns: Int, rows: Int) {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(descriptor, UInt(TIOCSWINSZ), &size)
    }

    /// Sends the program a signal if it runs.
    public func signal(_ signal: Int32) { process.signal(signal) }

    /// The settings of the terminal: true if it echoes keys and hands them over line by line, as before a program
    /// changes that.
    public var isCooked: Bool {
        var settings = termios()
        guard tcgetattr(descriptor, &settings) == 0 else { return false }
        return settings.c_lflag & tcflag_t(ECHO) != 0 && settings.c_lflag & tcflag_t(ICANON) != 0
    }

    /// Returns true if the program is stopped, as after Ctrl-Z.
    public var isStopped: Bool {
        #if os(Linux)
            let status = (try? String(contentsOfFile: "/proc/\(process.pid)/stat", encoding: .utf8)) ?? ""
            // The state follows the name, which may have any characters, in parentheses.
            return status.split(separator: ")").last?.split(separator: " ").first == "T"
        #else
            return false
        #endif
    }

    /// Opens a terminal.
    /// - Returns: The side of the person, and the path of the side of the program.
    private static func open(_ size: winsize) throws -> (descriptor: Int32, path: String) {
        #if canImport(Darwin)
            let openTerminal = posix_openpt
        #else
            typealias Open = @convention(c) (Int32) -> Int32
            typealias Name = @convention(c) (Int32) -> UnsafeMutablePointer<CChar>?
            let openTerminal = unsafeBitCast(try ChildProcess.symbol("posix_openpt"), to: Open.self)
            let grantpt = unsafeBitCast(try ChildProcess.symbol("grantpt"), to: Open.self)
            let unlockpt = unsafeBitCast(try ChildProcess.symbol("unlockpt"), to: Open.self)
            let ptsname = unsafeBitCast(try ChildProcess.symbol("ptsname"), to: Name.self)
        #endif
        let descriptor = openTerminal(O_RDWR | O_NOCTTY)
        guard descriptor >= 0, grantpt(descriptor) == 0, unlockpt(descriptor) == 0,
            // All threads get the name in the same buffer.
            let path = naming.withLockedValue({ _ in ptsname(descriptor).map { String(cString: $0) } })
        else { throw Unusable(description: "there is no terminal: error \(errno)") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var size = size
        _ = ioctl(descriptor, UInt(TIOCSWINSZ), &size)
        return (descriptor, path)
    }
}
