import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP2
package import NIOSSL
import SystemErrors

/// A fault that prevents a gateway from starting, in one line for the person who starts it.
public struct GatewayError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The setting that cannot be used.
    public let setting: GatewaySetting
    /// The fault of the setting.
    public let message: String

    init(_ setting: GatewaySetting, _ message: String) {
        self.setting = setting
        self.message = message
    }

    public var description: String { "\(setting.rawValue): \(message)" }

    /// Returns the error of a file that cannot be read, or that does not have the content that the setting needs.
    static func unreadable(_ setting: GatewaySetting, _ path: String, _ error: any Error) -> GatewayError {
        let reason = ErrorText.unreadableReason(of: path) ?? ErrorText.describe(error)
        return GatewayError(setting, "\(path) cannot be read: \(reason)")
    }

    /// Returns the error of an access log that cannot be opened.
    static func accessLog(_ path: String, _ error: any Error) -> GatewayError {
        GatewayError(.accessLog, "\(path) cannot be opened: \(ErrorText.describe(error))")
    }
}

/// The files that settings name, as they are read at the start, at a reload and by a check.
public enum GatewayFiles {
    /// Returns the faults that would prevent a gateway with this configuration from starting: files that are missing or
    /// cannot be used. Nothing is created.
    public static func check(_ configuration: GatewayConfiguration) -> [Diagnostic] {
        let settings = configuration.settings
        var diagnostics: [Diagnostic] = []
        func attempt(_ read: () throws(GatewayError) -> Void) {
            do throws(GatewayError) { try read() } catch {
                diagnostics.append(configuration.diagnostic(for: error))
            }
        }
        if let certificate = settings.certificate {
            attempt { () throws(GatewayError) in _ = try ServerCertificate.read(certificate) }
        }
        if let path = settings.originAuthorities {
            attempt { () throws(GatewayError) in _ = try authorities(path) }
        }
        attempt { () throws(GatewayError) in
            var settings = settings
            try settings.readToken()
        }
        if case .file(let path) = settings.accessLog {
            attempt { () throws(GatewayError) in
                do { try LogFile.check(path) } catch { throw GatewayError.accessLog(path, error) }
            }
        }
        return diagnostics
    }

    /// Returns the TLS configuration of a client that trusts the authorities in a file.
    package static func clientConfiguration(trusting path: String) throws(GatewayError) -> TLSConfiguration {
        var configuration = TLSConfiguration.modernClient
        configuration.trustRoots = .certificates(try authorities(path))
        return configuration
    }

    /// Reads the authorities that sign the certificates of origins.
    static func authorities(_ path: String) throws(GatewayError) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do { certificates = try NIOSSLCertificate.fromPEMFile(path) } catch {
            throw GatewayError.unreadable(.originAuthorities, path, error)
        }
        guard !certificates.isEmpty else {
            throw GatewayError(.originAuthorities, "\(path) has no certificate in the form of PEM")
        }
        return certificates
    }
}

extension GatewayConfiguration {
    /// Returns the diagnostic of a setting that cannot be used, with the location where it is given.
    public func diagnostic(for error: GatewayError) -> Diagnostic {
        Diagnostic(error.setting, at: locations[error.setting] ?? .nowhere, error.message)
    }
}

/// The certificate and key for new TLS connections. A reload replaces both at once; existing connections continue with
/// those with which they were opened.
final class ServerCertificate: Sendable {
    /// The files' content, and the TLS context that is made from it.
    typealias Loaded = (identity: Identity, context: NIOSSLContext)

    /// A chain of certificates, and the key of the first one.
    struct Identity: Hashable, Sendable {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
    }

    private let current: NIOLockedValueBox<Loaded>

    /// Creates a certificate by reading it and its key.
    init(_ files: GatewaySettings.Certificate) throws(GatewayError) {
        current = NIOLockedValueBox(try Self.read(files))
    }

    /// The TLS context of a connection that is accepted now.
    var context: NIOSSLContext { current.withLockedValue { $0.context } }

    /// Reads the certificate and the key again. If they cannot be used, nothing changes.
    /// - Returns: True if they have changed.
    func reload(_ files: GatewaySettings.Certificate) throws(GatewayError) -> Bool {
        let fresh = try Self.read(files)
        return current.withLockedValue { current in
            // The context is replaced only if needed, because sessions can be resumed only by the context with which
            // they began.
            guard current.identity != fresh.identity else { return false }
            current = fresh
            return true
        }
    }

    /// Reads a certificate and its key, and checks that they belong together.
    static func read(_ files: GatewaySettings.Certificate) throws(GatewayError) -> Loaded {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(files.certificate) } catch {
            throw GatewayError.unreadable(.certificate, files.certificate, error)
        }
        guard !chain.isEmpty else {
            throw GatewayError(.certificate, "\(files.certificate) has no certificate in the form of PEM")
        }
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: files.privateKey, format: .pem) } catch {
            throw GatewayError.unreadable(.privateKey, files.privateKey, error)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.applicationProtocols = NIOHTTP2SupportedALPNProtocols
        configuration.minimumTLSVersion = .tlsv12
        // Closing a connection waits for the client's close_notify, and a gateway that stops waits for the connection.
        configuration.shutdownTimeout = .seconds(1)
        do { return (Identity(chain: chain, key: key), try NIOSSLContext(configuration: configuration)) } catch {
            let reason = ErrorText.describe(error)
            throw GatewayError(.privateKey, "\(files.privateKey) is not the key of \(files.certificate): \(reason)")
        }
    }
}

extension TLSConfiguration {
    /// The TLS configuration of a client, without obsolete versions: "TLS 1.0 MUST NOT be used", nor TLS 1.1 (RFC
    /// 8996).
    static var modernClient: TLSConfiguration {
        var configuration = makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        return configuration
    }
}
