import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The texts of errors of files, connections and TLS, in plain words for logs and for the person who starts a program.
///
/// A text is a phrase to follow a colon: `cannot connect to 127.0.0.1:6379: the connection was refused, …`.
package enum ErrorText {
    /// Returns the text of an error. An error of another kind is described as it describes itself.
    package static func describe(_ error: any Error) -> String {
        switch error {
        case let error as IOError: text(ofCode: error.errnoCode)
        case let error as NIOConnectionError: text(of: error)
        case let error as ChannelError: text(of: error)
        case is SocketAddressError.UnknownHost: unknownHost
        case SocketAddressError.unixDomainSocketPathTooLong: "the path of the socket is too long"
        case let error as NIOSSLExtraError where error == .failedToValidateHostname: otherHost
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: tlsText("\(error)")
        default: "\(error)"
        }
    }

    /// Returns the reason why a file cannot be read; nil if it can be opened and is not a folder.
    package static func unreadableReason(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return text(ofCode: errno) }
        defer { close(descriptor) }
        do throws(IOError) {
            return try FileStatus(of: descriptor).isFolder ? text(ofCode: EISDIR) : nil
        } catch {
            return text(ofCode: error.errnoCode)
        }
    }

    private static let unknownHost = "the host name cannot be resolved"
    private static let otherHost = "the certificate of the server is for another host"
    private static let untrusted =
        "the certificate of the server is not trusted: it has expired, or no known authority has signed it"
    private static let noCommonVersion = "the server and this program have no version of TLS in common"

    /// Returns the text of a code of the system (`errno`).
    private static func text(ofCode code: CInt) -> String {
        switch code {
        case ENOENT: "the file, or a folder of its path, does not exist"
        case EACCES, EPERM: "permission is denied to the user who runs this program"
        case EISDIR: "it is a folder: expected a file"
        case ENOTDIR: "a part of its path is a file: expected a folder"
        case ENOSPC: "the disk is full"
        case EROFS: "the disk is read-only"
        case EMFILE, ENFILE: "too many files are open: raise the limit (ulimit -n)"
        case ECONNREFUSED: "the connection was refused, so no server listens on this address"
        case ECONNRESET, EPIPE: "the other side closed the connection"
        case ETIMEDOUT: "the other side did not answer in time"
        case EHOSTUNREACH, ENETUNREACH: "the host cannot be reached from this machine"
        case EADDRINUSE: "another program uses this address: stop it, or use another port"
        case EADDRNOTAVAIL: "this machine does not have this address"
        default: String(cString: strerror(code))
        }
    }

    private static func text(of error: NIOConnectionError) -> String {
        if let failure = error.connectionErrors.last?.error { return describe(failure) }
        return error.dnsAError != nil || error.dnsAAAAError != nil ? unknownHost : "the host has no address"
    }

    private static func text(of error: ChannelError) -> String {
        switch error {
        case .connectTimeout: "connecting took too long"
        case .ioOnClosedChannel, .alreadyClosed, .outputClosed, .inputClosed, .eof: "the connection is closed"
        default: "\(error)"
        }
    }

    /// Returns the text of an error of TLS, which is known by its description alone.
    private static func tlsText(_ description: String) -> String {
        if let known = tlsTexts.first(where: { description.contains($0.mark) }) { return known.text }
        guard let start = description.firstRange(of: "OPENSSL_internal:") else { return "TLS failed (\(description))" }
        let reason = description[start.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        return "TLS failed (\(reason.lowercased().replacing("_", with: " ")))"
    }

    /// Parts of descriptions of TLS errors, with their texts.
    private static let tlsTexts: [(mark: String, text: String)] = [
        ("failedToLoadCertificate", "it has no certificate in the form of PEM"),
        ("failedToLoadPrivateKey", "it has no private key in the form of PEM"),
        ("KEY_VALUES_MISMATCH", "the key and the certificate do not belong together"),
        ("CERTIFICATE_VERIFY_FAILED", untrusted), ("unableToValidateCertificate", untrusted),
        ("WRONG_VERSION_NUMBER", "the server does not speak TLS on this port"),
        ("PROTOCOL_VERSION", noCommonVersion), ("UNSUPPORTED_PROTOCOL", noCommonVersion),
        ("EOF during handshake", "the other side closed the connection during the TLS handshake"),
        ("uncleanShutdown", "the other side ended the TLS connection without notice"),
    ]
}
