package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The kind and the permissions of an open file.
package struct FileStatus: Sendable {
    /// True for a file with content; false for a folder, a pipe, a socket or a device.
    package let isRegularFile: Bool
    /// True for a folder.
    package let isFolder: Bool
    /// The permissions of owner, group and others, nine bits.
    package let permissions: UInt16

    /// Reads the status of an open file.
    /// - Throws: `IOError` if the descriptor is not open.
    package init(of descriptor: CInt) throws(IOError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw IOError(errnoCode: errno, reason: "fstat") }
        isRegularFile = status.st_mode & S_IFMT == S_IFREG
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        permissions = UInt16(status.st_mode & 0o777)
    }
}
