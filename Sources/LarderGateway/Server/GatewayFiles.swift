import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP2
package import NIOSSL

/// What keeps a gateway from starting, in one line for the person who starts it.
public struct GatewayError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The setting that cannot be used.
    public let setting: GatewaySetting
    /// What is wrong with it.
    public let message: String

    init(_ setting: GatewaySetting, _ message: String) {
        self.setting = setting
        self.message = message
    }

    public var description: String { "\(setting.rawValue): \(message)" }
}

/// The files that settings name, as they are read at the start, at a reload and by a check.
public enum GatewayFiles {
    /// Returns what would keep a gateway with this configuration from starting: files that are missing or cannot be
    /// used. Nothing is created.
    public static func check(_ configuration: GatewayConfiguration) -> [Diagnostic] {
        let settings = configuration.settings
        var diagnostics: [Diagnostic] = []
        func attempt(_ read: () throws(GatewayError) -> Void) {
            do throws(GatewayError) { try read() } catch {
                let place = configuration.places[error.setting] ?? .nowhere
                diagnostics.append(Diagnostic(at: place, "`\(error.setting.rawValue)`: \(error.message)"))
            }
        }
        if let certificate = settings.certificate {
            attempt { () throws(GatewayError) in _ = try ServerCertificate.read(certificate) }
        }
        if let path = settings.originAuthorities {
            attempt { () throws(GatewayError) in _ = try authorities(path) }
        }
        if case .file(let path) = settings.accessLog {
            attempt { () throws(GatewayError) in
                do { try LogFile.check(path) } catch { throw GatewayError(.accessLog, "\(error)") }
            }
        }
        return diagnostics
    }

    /// Returns the TLS of a client that trusts the authorities in a file.
    package static func clientConfiguration(trusting path: String) throws(GatewayError) -> TLSConfiguration {
        var configuration = TLSConfiguration.modernClient
        configuration.trustRoots = .certificates(try authorities(path))
        return configuration
    }

    /// Reads the authorities that origins are trusted by.
    static func authorities(_ path: String) throws(GatewayError) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do { certificates = try NIOSSLCertificate.fromPEMFile(path) } catch {
            throw GatewayError(.originAuthorities, "\(path) cannot be read as PEM: \(error)")
        }
        guard !certificates.isEmpty else {
            throw GatewayError(.originAuthorities, "\(path) has no certificate in it")
        }
        return certificates
    }
}

/// The certificate and key that new TLS connections get. A reload replaces both at once; connections keep what they
/// were opened with.
final class ServerCertificate: Sendable {
    /// What was read, and what connections are made of it.
    typealias Loaded = (identity: Identity, context: NIOSSLContext)

    /// A chain of certificates, and the key of the first.
    struct Identity: Hashable, Sendable {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
    }

    private let current: NIOLockedValueBox<Loaded>

    /// Reads a certificate and its key.
    init(_ files: GatewaySettings.Certificate) throws(GatewayError) {
        current = NIOLockedValueBox(try Self.read(files))
    }

    /// What TLS is spoken with on a connection that is accepted now.
    var context: NIOSSLContext { current.withLockedValue { $0.context } }

    /// Reads them again. What cannot be used changes nothing.
    /// - Returns: true if they have changed.
    func reload(_ files: GatewaySettings.Certificate) throws(GatewayError) -> Bool {
        let fresh = try Self.read(files)
        return current.withLockedValue { current in
            // Sessions are resumed by the context that they began with.
            guard current.identity != fresh.identity else { return false }
            current = fresh
            return true
        }
    }

    /// Reads a certificate and its key, and sees that they belong together.
    static func read(_ files: GatewaySettings.Certificate) throws(GatewayError) -> Loaded {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(files.certificate) } catch {
            throw GatewayError(.certificate, "\(files.certificate) cannot be read as PEM: \(error)")
        }
        guard !chain.isEmpty else {
            throw GatewayError(.certificate, "\(files.certificate) has no certificate in it")
        }
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: files.privateKey, format: .pem) } catch {
            throw GatewayError(.privateKey, "\(files.privateKey) cannot be read as PEM: \(error)")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.applicationProtocols = NIOHTTP2SupportedALPNProtocols
        configuration.minimumTLSVersion = .tlsv12
        // A connection that is closed waits for the client's close_notify, and a gateway that stops waits for it.
        configuration.shutdownTimeout = .seconds(1)
        do { return (Identity(chain: chain, key: key), try NIOSSLContext(configuration: configuration)) } catch {
            throw GatewayError(.privateKey, "\(files.privateKey) is not the key of \(files.certificate): \(error)")
        }
    }
}

extension TLSConfiguration {
    /// TLS of a client without the versions that are out of use: "TLS 1.0 MUST NOT be used", nor TLS 1.1 (RFC 8996).
    static var modernClient: TLSConfiguration {
        var configuration = makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        return configuration
    }
}
