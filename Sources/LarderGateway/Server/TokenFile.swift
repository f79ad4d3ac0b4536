import Larder
import NIOCore
import SystemErrors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension GatewayFiles {
    /// The largest size of a file with a token, in bytes: 4 KiB.
    private static let tokenLimit = 4 << 10

    /// Reads the token of the admin routes from a file. Space and line breaks around it are not part of it.
    ///
    /// A file that other users than its owner and group may read, or that others than its owner may write, is refused:
    /// whoever knows the token can empty the cache.
    static func token(_ path: String) throws(GatewayError) -> BearerToken {
        // A pipe that no process writes to must not block the gateway.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .unreadable(.adminTokenFile, path, IOError(errnoCode: errno, reason: "open"))
        }
        defer { close(descriptor) }
        guard let status = try? FileStatus(of: descriptor), status.isRegularFile else {
            throw GatewayError(.adminTokenFile, "\(path) is not a file: expected a file with the token")
        }
        let mode = status.permissions
        guard mode & 0o026 == 0 else {
            let permissions = "0" + String(mode, radix: 8)
            let users = mode & 0o004 == 0 ? "may be changed by other users than its owner" : "may be read by every user"
            throw GatewayError(.adminTokenFile, "\(path) \(users) (\(permissions)): run chmod 600 or chmod 640 on it")
        }
        let bytes = try read(descriptor, path)
        let isSpace = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
        let text = bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        guard !text.isEmpty else {
            throw GatewayError(.adminTokenFile, "\(path) is empty: expected \(BearerToken.expectation)")
        }
        guard let token = BearerToken(String(decoding: text, as: UTF8.self)) else {
            throw GatewayError(
                .adminTokenFile,
                "the content of \(path) is not a token: expected \(BearerToken.expectation), and nothing else"
            )
        }
        return token
    }

    private static func read(_ descriptor: CInt, _ path: String) throws(GatewayError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: tokenLimit + 1)
        var count = 0
        while count < bytes.count {
            let (offset, rest) = (count, bytes.count - count)
            let length = bytes.withUnsafeMutableBytes {
                systemRead(descriptor, $0.baseAddress?.advanced(by: offset), rest)
            }
            if length < 0, errno == EINTR { continue }
            guard length >= 0 else {
                throw .unreadable(.adminTokenFile, path, IOError(errnoCode: errno, reason: "read"))
            }
            if length == 0 { break }
            count += length
        }
        guard count <= tokenLimit else {
            throw GatewayError(.adminTokenFile, "\(path) is larger than 4 KiB: expected a file with the token alone")
        }
        return Array(bytes.prefix(count))
    }
}

extension BearerToken {
    /// The expected form of a token, for messages.
    static let expectation = "at least \(minimumLength) letters, digits, or -._~+/"
}

private func systemRead(_ descriptor: CInt, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, bytes, count)
}

extension GatewaySettings {
    /// Reads the token from its file, if the settings name a file and no token.
    mutating func readToken() throws(GatewayError) {
        guard adminToken == nil, let path = adminTokenFile else { return }
        adminToken = try GatewayFiles.token(path)
    }
}
