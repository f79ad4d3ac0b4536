import HummingbirdCore
import Larder
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Listens for clients, and answers them until it is shut down.
///
/// It stops in three steps, so that no request is lost. First it says that it will: it is not ready any more
/// (``isReady``), for load balancers to ask, and responses end their connections (`Connection: close`, GOAWAY), while
/// everybody is served as before. After ``Options/drainDelay`` it closes its sockets, and after
/// ``Options/drainTimeout``, or as soon as everything is answered, the connections that are left.
final class Listener: Service {
    /// What a listener is made of.
    struct Options: Sendable {
        /// Where it listens.
        var addresses: [ListenAddress]
        /// Where it listens for the admin routes alone; nil if they are on the other addresses.
        var adminAddress: AdminAddress?
        /// The number of connections beyond which a further one takes the place of an idle one.
        var connectionLimit = 8_192
        /// The limit of connections from one address; nil if there is none.
        var addressLimit: AddressLimit?
        /// The time between the beginning of the end and the end of listening.
        var drainDelay = Duration.seconds(5)
        /// The time that requests have to end after that.
        var drainTimeout = Duration.seconds(30)
        /// The longest silence of a client that is to speak.
        var idleTimeout = Duration.seconds(75)
        /// Returns the least rate of the client of a new connection; nil if there is none.
        var rate: @Sendable () -> ClientRate? = { nil }
        /// The size of a request's head.
        var headerLimit = 64 << 10
        /// True if a client that sends no more may still wait for its response.
        var allowsHalfClose = false
        /// Returns what TLS is spoken with on a new connection; nil if none is.
        var tls: (@Sendable () throws -> NIOSSLContext)?
        /// Returns the handlers that read a new connection before TLS and HTTP do, the first in front. They may tell
        /// who the client is (``ClientConnection/noteProxy(for:)``).
        var firstHandlers: @Sendable (ClientConnection) -> [any ChannelHandler] = { _ in [] }
    }

    private let options: Options
    private let http: HTTPOptions
    private let responder: any ClientResponder
    private let group: any EventLoopGroup
    private let table: ConnectionTable
    /// The tasks that answer clients.
    private let tasks = BackgroundTasks()
    private let timer: DrainTimer
    private let drainState: DrainState
    private let onRunning: @Sendable (any Channel) async -> Void
    private let logger: Logger

    init(
        _ options: Options,
        responder: any ClientResponder,
        stopping drainState: DrainState,
        on group: any EventLoopGroup,
        clock: WallClock,
        logger: Logger,
        onRunning: @escaping @Sendable (any Channel) async -> Void
    ) {
        self.options = options
        self.responder = responder
        self.group = group
        self.table = ConnectionTable(limit: options.connectionLimit)
        self.timer = DrainTimer(clock)
        self.drainState = drainState
        self.onRunning = onRunning
        self.logger = logger
        self.http = HTTPOptions(
            idleTimeout: TimeAmount(options.idleTimeout),
            headerLimit: options.headerLimit,
            allowsHalfClose: options.allowsHalfClose,
            drain: drainState
        )
    }

    /// Ends the step of stopping that is under way, or, before the listener is told to stop, the first one.
    func hurry() { timer.skip() }

    func run() async throws {
        let sockets = try await listen()
        for socket in sockets { await onRunning(socket) }
        try? await gracefulShutdown()
        await drain(sockets)
    }

    // MARK: - Listening

    private func listen() async throws -> [any Channel] {
        var sockets: [any Channel] = []
        do {
            for address in options.addresses {
                let socket = try await bootstrap().bind(host: address.host, port: address.port).get()
                sockets.append(socket)
                let bound = socket.localAddress?.port ?? address.port
                logger.info("Listening", metadata: ["address": "\(ListenAddress(host: address.host, port: bound))"])
            }
            if let address = options.adminAddress { sockets.append(try await listenForAdmins(at: address)) }
            return sockets
        } catch {
            for socket in sockets { try? await socket.close() }
            throw error
        }
    }

    private func listenForAdmins(at address: AdminAddress) async throws -> any Channel {
        let bootstrap = bootstrap(isAdministrative: true)
        let socket: any Channel
        switch address {
        case .address(let address): socket = try await bootstrap.bind(host: address.host, port: address.port).get()
        case .socket(let path):
            // For the user who runs the gateway, from the moment that it is there.
            let mask = umask(0o177)
            defer { umask(mask) }
            socket = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        }
        logger.info("Listening for admin requests", metadata: ["address": "\(address)"])
        return socket
    }

    private func bootstrap(isAdministrative: Bool = false) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [table, options] channel in
                channel.eventLoop.makeCompletedFuture {
                    let limit = AcceptLimit(
                        table,
                        isAdministrative ? nil : options.addressLimit,
                        isLimited: !isAdministrative
                    )
                    try channel.pipeline.syncOperations.addHandler(limit)
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.open(channel, isAdministrative) }
            }
    }

    private func open(_ channel: any Channel, _ isAdministrative: Bool) throws {
        let connection = ClientConnection(channel, isAdministrative: isAdministrative) { [table] in table.noteIdle() }
        table.add(connection)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(TransportHandler())
        var http = http
        http.rate = options.rate()
        if let rate = http.rate { try pipeline.addHandler(SlowReaderHandler(rate)) }
        if !isAdministrative {
            for handler in options.firstHandlers(connection) { try pipeline.addHandler(handler) }
        }
        let front = HTTPFront(connection: connection, options: http, responder: responder, tasks: tasks, logger: logger)
        // Nothing leaves this machine on the way to a loopback address.
        let isInTheClear = isAdministrative && options.adminAddress?.isLoopback == true
        guard let tls = options.tls, !isInTheClear else { return try front.speakHTTP1() }
        try front.speakTLS(with: tls())
    }

    // MARK: - Stopping

    private func drain(_ sockets: [any Channel]) async {
        let load = table.load
        logger.info(
            "Draining: connections end with their next response",
            metadata: [
                "connections": "\(load.connections)", "requests": "\(load.requests)",
                "listening for": "\(timer.skipsNext ? .zero : options.drainDelay)",
            ]
        )
        tell(.began)
        await timer.wait(for: options.drainDelay)
        for socket in sockets { await stopListening(socket) }
        tell(.listenerClosed)
        let rest = table.load
        logger.info(
            "Not listening any more: requests under way end",
            metadata: [
                "connections": "\(rest.connections)", "requests": "\(rest.requests)",
                "at most": "\(options.drainTimeout)",
            ]
        )
        await finishConnections()
        let cut = table.load
        table.closeAll()
        tasks.cancelAll()
        await tasks.drain()
        guard cut.connections > 0 else { return logger.info("Stopped: every request is answered") }
        logger.warning(
            "Stopped: what was under way is cut off",
            metadata: ["connections": "\(cut.connections)", "requests": "\(cut.requests)"]
        )
    }

    /// Waits until no connection is left, or until the time for that is over.
    private func finishConnections() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [table] in
                while let connection = table.connections.first, !Task.isCancelled { await connection.closed() }
            }
            group.addTask { [timer, options] in await timer.wait(for: options.drainTimeout) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Tells every connection what happens to the listener, and those to come.
    private func tell(_ event: DrainEvent) {
        drainState.note(event)
        table.tell(event)
    }

    /// Closes a listening socket when no connection waits to be accepted or set up: those would be reset.
    private func stopListening(_ socket: any Channel) async {
        for _ in 0..<1_000 {
            let isClosed = try? await socket.eventLoop.submit { [table] in
                guard !Self.hasPendingConnection(socket), table.isSetUp else { return false }
                socket.close(promise: nil)
                return true
            }.get()
            guard isClosed == false else { break }
            try? await socket.eventLoop.scheduleTask(in: .milliseconds(1)) {}.futureResult.get()
        }
        try? await socket.close()
    }

    private static func hasPendingConnection(_ socket: any Channel) -> Bool {
        let isPending = try? socket.pipeline.syncOperations.withUnsafeTransportIfAvailable {
            (descriptor: NIOBSDSocket.Handle) in
            var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
            return poll(&descriptors, 1, 0) > 0
        }
        return isPending ?? false
    }
}

extension ClientConnection {
    /// Waits until the connection is closed, or the calling task cancelled.
    fileprivate func closed() async {
        let (closed, close) = AsyncStream.makeStream(of: Never.self)
        channel.closeFuture.whenComplete { _ in close.finish() }
        for await _ in closed {}
    }
}
