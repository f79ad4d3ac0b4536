import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A temporary file without a name, which is used as a ring: bytes beyond its end are written to its beginning.
///
/// Its name is removed directly after it was opened, so that the file does not remain when the process ends, however it
/// ends.
final class SpoolFile: Sendable {
    private let descriptor: CInt
    private let size: Int

    /// Creates a file. All functions of this type must be called on a thread that may block.
    /// - Parameters:
    ///   - directory: The folder of the file.
    ///   - size: The length in bytes after which positions begin again.
    /// - Throws: `IOError` if the file cannot be opened.
    init(in directory: String, size: Int) throws {
        let name = String(UInt64.random(in: .min ... .max), radix: 36)
        let path = "\(directory)/larder-\(name).spool"
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: path) }
        unlink(path)
        self.size = size
    }

    deinit {
        // The blocks of a large file are freed with its last descriptor, which may take a while.
        NIOThreadPool.singleton.submit { [descriptor] _ in close(descriptor) }
    }

    /// Writes bytes at a position.
    func write(_ bytes: ByteBuffer, at position: Int) throws {
        var (bytes, position) = (bytes, position)
        while bytes.readableBytes > 0 {
            let offset = position % size
            let count = bytes.withUnsafeReadableBytes { pointer in
                pwrite(descriptor, pointer.baseAddress, min(pointer.count, size - offset), off_t(offset))
            }
            if count > 0 {
                bytes.moveReaderIndex(forwardBy: count)
                position += count
            } else if count == 0 || errno != EINTR {
                throw IOError(errnoCode: count == 0 ? ENOSPC : errno, reason: "write")
            }
        }
    }

    /// Reads a number of bytes from a position. They must have been written.
    func read(_ length: Int, at position: Int) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        while buffer.readableBytes < length {
            let offset = (position + buffer.readableBytes) % size
            let wanted = min(length - buffer.readableBytes, size - offset)
            var count = 0
            var failure: CInt = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { pointer in
                count = pread(descriptor, pointer.baseAddress, wanted, off_t(offset))
                failure = errno
                return max(0, count)
            }
            if count == 0 || count < 0 && failure != EINTR {
                throw IOError(errnoCode: count == 0 ? EIO : failure, reason: "read")
            }
        }
        return buffer
    }
}
