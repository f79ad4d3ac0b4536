import HTTPTypes
import Hummingbird
public import Larder
import LarderHummingbird
public import LarderRules
public import Logging
import NIOConcurrencyHelpers
public import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
public import ServiceLifecycle

/// A response cache in front of APIs in any language: a reverse proxy.
///
/// It is ``Cache`` with servers as its origins, and nothing of caching is decided here. Its services are to run
/// together, in this order, so that the listener ends first when they are shut down:
///
/// ```swift
/// let gateway = try Gateway(configuration, store: MemoryStore(limit: .mebibytes(256)), logger: logger)
/// try await ServiceGroup(services: gateway.services, gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
public final class Gateway: Sendable {
    /// The cache, for its statistics.
    public let cache: Cache
    /// What has to run for the gateway to answer.
    public let services: [any Service]

    private let routes: NIOLockedValueBox<RouteTable>
    private let log: AccessLog?
    private let listener: Listener
    private let logger: Logger
    /// The largest body that the store takes, as far as is known.
    private let bodyLimit: ByteCount

    /// A gateway, ready to be run.
    /// - Parameters:
    ///   - store: where responses are kept.
    ///   - clock: tells the time.
    ///   - onRunning: is called when the listener takes connections, with its channel.
    /// - Throws: `GatewayError` where a certificate or the access log cannot be used.
    public init(
        _ configuration: GatewayConfiguration,
        store: any CacheStore,
        logger: Logger,
        clock: WallClock = .system,
        onRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
    ) throws {
        let settings = configuration.settings
        let group = MultiThreadedEventLoopGroup.singleton
        // A client that is made has to be shut down: what can fail comes before it.
        let options = try Listener.Options(settings)
        let log = try AccessLog(settings.accessLog, clock: clock, logger: logger)
        let client = UpstreamClient(try .init(settings), clock: clock, on: group)
        let cache = Cache(store: store, name: settings.name, logger: logger, clock: clock)
        let routes = NIOLockedValueBox(configuration.routes)
        let isDraining = DrainFlag()
        let administration = Administration(
            of: cache,
            access: .standard(token: settings.adminToken, host: settings.listen.host),
            at: settings.adminPrefix,
            origins: { await client.probe(routes.withLockedValue { $0 }.origins, path: settings.healthPath) },
            isReady: { !isDraining.isSet },
            logger: logger
        )
        let responder = GatewayResponder(
            cache: cache,
            clock: clock,
            client: client,
            routes: routes,
            administration: administration,
            log: log,
            scheme: settings.certificate == nil ? "http" : "https",
            name: settings.name,
            via: "1.1 \(settings.name)-\(String(UInt32.random(in: .min ... .max), radix: 36))",
            sendsClientHost: settings.hostField == .client,
            logger: logger
        )
        listener = Listener(
            options,
            responder: responder,
            draining: isDraining,
            on: group,
            clock: clock,
            logger: logger,
            onRunning: onRunning
        )
        self.cache = cache
        self.routes = routes
        self.log = log
        self.logger = logger
        self.bodyLimit = max(store.entryLimit, configuration.routes.bodyLimit)
        self.services = [log as (any Service)?, client, cache, listener].compactMap(\.self)
    }

    /// Takes other routes for the requests that come from now on; those under way end as they began.
    public func reload(_ routes: RouteTable) {
        self.routes.withLockedValue { $0 = routes }
        logger.info("The routes are loaded anew", metadata: ["routes": "\(routes.routes.count)"])
        guard routes.bodyLimit > bodyLimit else { return }
        logger.warning(
            "Bodies above what the store was made for are kept after a restart only",
            metadata: ["body-limit": "\(routes.bodyLimit)", "kept": "\(bodyLimit)"]
        )
    }

    /// Ends the step of stopping that is under way: the delay in which clients are served as before, then the time in
    /// which requests under way end. Called before the gateway is told to stop, it leaves the delay out.
    public func hurry() { listener.hurry() }

    /// Opens the access log anew, after whoever rotates logs has moved it away.
    public func reopenLog() { log?.reopen() }
}

/// What keeps a gateway from starting, in one line for the person who starts it.
public struct GatewayError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

extension Listener.Options {
    /// What the settings ask for: HTTP/1.1, or, with a certificate, HTTP/2 and HTTP/1.1 over TLS.
    fileprivate init(_ settings: GatewaySettings) throws {
        self.init(addresses: [settings.listen])
        connectionLimit = settings.clientConnections
        drainDelay = settings.drainDelay
        drainTimeout = settings.drainTimeout
        idleTimeout = settings.clientIdleTimeout
        headerLimit = settings.headerLimit.bytes
        allowsHalfClose = settings.halfClose == .allow
        guard let certificate = settings.certificate else { return }
        let context = try NIOSSLContext(configuration: .server(certificate))
        tls = { context }
    }
}

extension TLSConfiguration {
    /// What the listener shows to its clients.
    fileprivate static func server(_ files: GatewaySettings.Certificate) throws -> TLSConfiguration {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(files.certificate) } catch {
            throw GatewayError("certificate: \(files.certificate) cannot be read as PEM: \(error)")
        }
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: files.privateKey, format: .pem) } catch {
            throw GatewayError("private-key: \(files.privateKey) cannot be read as PEM: \(error)")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.applicationProtocols = NIOHTTP2SupportedALPNProtocols
        do { _ = try NIOSSLContext(configuration: configuration) } catch {
            throw GatewayError("private-key: \(files.privateKey) is not the key of \(files.certificate): \(error)")
        }
        return configuration
    }
}

extension UpstreamClient.Options {
    fileprivate init(_ settings: GatewaySettings) throws(GatewayError) {
        self.init(
            connectTimeout: settings.connectTimeout,
            responseTimeout: settings.responseTimeout,
            idleTimeout: settings.idleTimeout,
            connectionsPerOrigin: settings.connectionsPerOrigin
        )
        guard let path = settings.originAuthorities else { return }
        do { trustRoots = try NIOSSLCertificate.fromPEMFile(path) } catch {
            throw GatewayError("origin-ca: \(path) cannot be read as PEM: \(error)")
        }
    }
}

extension AccessLog {
    /// The log that the settings ask for.
    fileprivate convenience init?(_ setting: GatewaySettings.AccessLog, clock: WallClock, logger: Logger) throws {
        let path: String
        switch setting {
        case .off: return nil
        case .standardOutput: path = "-"
        case .file(let name): path = name
        }
        do { try self.init(path: path, clock: clock, logger: logger) } catch let error as IOError {
            throw GatewayError("access-log: \(error)")
        }
    }
}

extension UpstreamClient {
    /// Whether the origins answer, all asked at once.
    fileprivate func probe(_ origins: [OriginAddress], path: String) async -> [OriginHealth] {
        await withTaskGroup(of: OriginHealth.self) { group in
            for origin in origins { group.addTask { await self.probe(origin, path: path) } }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.origin < $1.origin }
        }
    }
}
