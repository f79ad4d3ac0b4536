import HTTPTypes
import Hummingbird
public import Larder
import LarderHummingbird
public import Logging
import Metrics
import NIOConcurrencyHelpers
public import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
import OpenMetrics
public import ServiceLifecycle
public import Tracing

/// A response cache in front of APIs in any language: a reverse proxy.
///
/// A gateway is a ``ResponseCache`` whose origins are servers; it makes no caching decisions itself. Its services must
/// run together, in this order, so that the listener ends first when they are shut down:
///
/// ```swift
/// let gateway = try Gateway(configuration, store: MemoryStore(limit: .mebibytes(256)), logger: logger)
/// try await ServiceGroup(services: gateway.services, gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
public final class Gateway: Sendable {
    /// The cache, for its statistics.
    public let cache: ResponseCache
    /// The services that must run for the gateway to answer.
    public let services: [any Service]

    let active: NIOLockedValueBox<ActiveConfiguration>
    let client: UpstreamClient
    let watch: OriginWatch
    let certificate: ServerCertificate?
    let log: AccessLog
    let logger: Logger
    /// The size of the largest entry that the store accepts, as far as is known.
    let entryLimit: ByteCount
    let drainState: DrainState
    let metrics: GatewayMetrics
    let listener: Listener
    let addressLimit: AddressLimit

    /// Creates a gateway, ready to be run.
    /// - Parameters:
    ///   - store: The store of the responses.
    ///   - tracer: The tracer of the gateway's spans; nil for the one that was bootstrapped. With a tracer, hits are
    ///     not answered on the event loop.
    ///   - clock: The clock that gives the time.
    ///   - onRunning: Called when the listener accepts connections, with its channel.
    ///   - onStep: Called when the gateway accepts connections, and when it begins each step of stopping.
    /// - Throws: `GatewayError` if a certificate, the file of the token or the access log cannot be used.
    public init(
        _ configuration: GatewayConfiguration,
        store: any CacheStore,
        tracer: (any Tracer)? = nil,
        logger: Logger,
        clock: WallClock = .system,
        onRunning: @escaping @Sendable (any Channel) async -> Void = { _ in },
        onStep: @escaping @Sendable (GatewayStep) -> Void = { _ in }
    ) throws {
        var settings = configuration.settings
        try settings.readToken()
        let group = MultiThreadedEventLoopGroup.singleton
        // A client must be shut down once it is created, so everything that can fail comes before it.
        let certificate = try settings.certificate.map { files throws(GatewayError) in try ServerCertificate(files) }
        let log = try AccessLog(settings, clock: clock, logger: logger)
        let metrics = MetricsSystem.factory as? MetricsRegistry ?? MetricsRegistry(forwardingTo: MetricsSystem.factory)
        let gatewayMetrics = GatewayMetrics(metrics)
        let watch = OriginWatch(clock: clock, logger: logger, metrics: metrics)
        watch.setOrigins(configuration.routes.origins)
        let upstream = try UpstreamClient.Options(settings)
        let cache = ResponseCache(
            store: store,
            name: settings.name,
            limits: CacheLimits(bodiesInFlight: settings.bodiesInFlight),
            metrics: metrics,
            tracer: tracer,
            logger: logger,
            clock: clock
        )
        let client = UpstreamClient(
            upstream,
            clock: clock,
            watch: watch,
            spoolingTo: SpoolSpace(.init(settings), memory: cache.inFlight, logger: logger),
            on: group
        )
        let drainState = DrainState()
        let active = NIOLockedValueBox(
            ActiveConfiguration(settings, configuration.routes, cache, client, drainState)
        )
        let addressLimit = AddressLimit(limit: settings.connectionsPerAddress, logger: logger) { peer in
            active.withLockedValue { $0.settings.trustedProxies }.contains(peer)
        }
        var options = Listener.Options(addresses: [settings.listen], addressLimit: addressLimit)
        options.adminAddress = settings.adminListen
        options.inherited = configuration.sockets
        if let certificate { options.tls = { certificate.context } }
        options.readProxyProtocol(by: active, logger)
        let responder = GatewayResponder(
            cache: cache,
            clock: clock,
            client: client,
            readers: SlowReaders(cache.inFlight, grace: TimeAmount(settings.clientRateTime), logger: logger),
            active: active,
            tracing: CacheTracing(tracer),
            requests: RequestLog(
                access: log,
                ids: RequestIDs(),
                metrics: RequestMetrics(metrics),
                logger: logger
            ),
            scheme: settings.certificate == nil ? "http" : "https",
            logger: logger
        )
        listener = Listener(
            options,
            Listener.Limits(settings),
            responder: responder,
            stopping: drainState,
            on: group,
            clock: clock,
            logger: logger,
            onRunning: onRunning,
            onStep: onStep
        )
        self.cache = cache
        self.active = active
        self.client = client
        self.watch = watch
        self.certificate = certificate
        self.log = log
        self.logger = logger
        self.drainState = drainState
        self.metrics = gatewayMetrics
        gatewayMetrics.collect(from: listener)
        self.addressLimit = addressLimit
        self.entryLimit = max(store.entryLimit, CacheEntry.limit(forBodiesOf: configuration.routes.bodyLimit))
        self.services = [log, client, cache, listener]
    }

    /// One line for the person who starts the gateway, if its admin routes answer no client; nil if they answer some.
    public var adviceOnAccess: String? {
        guard case .closed = active.withLockedValue({ $0.adminAccess }) else { return nil }
        return "The admin routes refuse all clients: set \(GatewaySetting.adminToken.variable) or "
            + "\(GatewaySetting.adminListen.variable), or for development "
            + "\(GatewaySetting.adminAccess.variable)=loopback"
    }

    /// Ends the current step of stopping: the delay in which clients are served as before, or then the time in which
    /// requests under way end. If it is called before the gateway begins to stop, the delay is skipped.
    public func hurry() { listener.hurry() }

    /// Opens the access log again, after a log rotation has moved it away.
    public func reopenLog() { log.reopen() }
}

extension Listener.Options {
    /// Has connections from trusted proxies begin with a header of the PROXY protocol, as long as the settings say so.
    fileprivate mutating func readProxyProtocol(by active: NIOLockedValueBox<ActiveConfiguration>, _ logger: Logger) {
        firstHandlers = { [addressLimit] connection in
            let settings = active.withLockedValue { $0.settings }
            // Only trusted proxies may send the header of the PROXY protocol; from other peers it is refused, as it is
            // not HTTP.
            guard settings.expectsProxyProtocol,
                let peer = connection.address?.ipAddress.flatMap({ IPAddress($0) }),
                settings.trustedProxies.contains(peer)
            else { return [] }
            let limit = min(settings.clientIdleTimeout, .seconds(10))
            return [ProxyProtocolHandler(connection, limit: TimeAmount(limit), addressLimit, logger)]
        }
    }
}

extension Listener.Limits {
    /// Creates the limits that the settings describe.
    init(_ settings: GatewaySettings) {
        self.init(
            connections: settings.clientConnections,
            drainDelay: settings.drainDelay,
            drainTimeout: settings.drainTimeout,
            idleTimeout: settings.clientIdleTimeout,
            rate: ClientRate(settings.clientRate.bytes, over: TimeAmount(settings.clientRateTime)),
            headerLimit: settings.headerLimit.bytes,
            allowsHalfClose: settings.halfClose == .allow
        )
    }
}

extension SpoolSpace.Limits {
    /// Creates the limits that the settings describe.
    init(_ settings: GatewaySettings) {
        self.init(
            message: settings.spoolLimit.bytes,
            disk: settings.spoolSpace.bytes,
            directory: settings.spoolDirectory ?? Self.temporaryDirectory
        )
    }
}

extension UpstreamClient.Options {
    /// Creates the options, and reads the authorities that sign the certificates of origins.
    init(_ settings: GatewaySettings) throws(GatewayError) {
        let trustRoots = try settings.originAuthorities.map { path throws(GatewayError) in
            try GatewayFiles.authorities(path)
        }
        self.init(settings, trusting: trustRoots)
    }

    /// Creates the options with authorities that were read before.
    init(_ settings: GatewaySettings, trusting trustRoots: [NIOSSLCertificate]?) {
        self.init(
            connectTimeout: settings.connectTimeout,
            responseTimeout: settings.responseTimeout,
            idleTimeout: settings.idleTimeout,
            connectionsPerOrigin: settings.connectionsPerOrigin
        )
        self.trustRoots = trustRoots
    }
}

extension AccessLog {
    /// Creates the log that the settings describe.
    fileprivate convenience init(_ settings: GatewaySettings, clock: WallClock, logger: Logger) throws {
        let path = Self.path(settings.accessLog)
        do {
            try self.init(path: path, as: AccessLogLayout(settings), clock: clock, logger: logger)
        } catch let error as IOError {
            throw GatewayError.accessLog(path ?? "-", error)
        }
    }
}
