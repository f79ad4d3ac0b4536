import NIOConcurrencyHelpers
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that is appended to, or standard output.
final class LogFile: Sendable {
    private let path: String
    private let descriptor: NIOLockedValueBox<CInt>

    init(path: String) throws {
        self.path = path
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

    /// Writes bytes.
    /// - Returns: The bytes that were not written, because the disk is full or nobody reads a pipe, and the error.
    func write(_ bytes: [UInt8]) -> (rest: [UInt8], error: IOError?) {
        descriptor.withLockedValue { descriptor in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EINTR {
                    return (Array(rest), IOError(errnoCode: errno, reason: "write"))
                }
            }
            return ([], nil)
        }
    }

    func reopen() throws {
        guard path != "-" else { return }
        let fresh = try Self.open(path)
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
