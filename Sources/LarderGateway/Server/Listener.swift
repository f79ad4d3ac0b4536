import HummingbirdCore
import Larder
import Logging
import NIOConcurrencyHelpers
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

/// A service that listens for clients, and answers them until it is shut down.
///
/// A listener stops in three steps, so that no request is lost. First it announces that it will stop: it is not ready
/// any more (``isReady``), which load balancers can query, and responses end their connections (`Connection: close`,
/// GOAWAY), while every client is served as before. After ``Limits/drainDelay`` it closes its sockets. After
/// ``Limits/drainTimeout``, or as soon as every request is answered, it closes the remaining connections.
final class Listener: Service {
    /// The options of a listener.
    struct Options: Sendable {
        /// The addresses on which it listens.
        var addresses: [ListenAddress]
        /// The address on which it listens for the admin routes only; nil if the other addresses serve them.
        var adminAddress: AdminAddress?
        /// The sockets that take the place of those on these addresses.
        var inherited = InheritedSockets.none
        /// The limit of connections from one address.
        var addressLimit: AddressLimit
        /// Returns the TLS context of a new connection; nil if the connection is not encrypted.
        var tls: (@Sendable () throws -> NIOSSLContext)?
        /// Returns the handlers that read a new connection before TLS and HTTP do, in order. They may set the client's
        /// address (``ClientConnection/noteProxy(for:)``).
        var firstHandlers: @Sendable (ClientConnection) -> [any ChannelHandler] = { _ in [] }
    }

    /// The limits that can change while a listener runs. Those of a connection are those at the time when it is
    /// accepted.
    struct Limits: Sendable {
        /// The number of connections above which a further one replaces an idle one. Defaults to 8,192.
        var connections = 8_192
        /// The time from the beginning of stopping until the sockets are closed. Defaults to 5 seconds.
        var drainDelay = Duration.seconds(5)
        /// The time that requests have to end after that. Defaults to 30 seconds.
        var drainTimeout = Duration.seconds(30)
        /// The longest time that a client may send nothing while the gateway waits for it. Defaults to 75 seconds.
        var idleTimeout = Duration.seconds(75)
        /// The lowest rate of a client; nil if there is none.
        var rate: ClientRate?
        /// The largest size of a request's head in bytes. Defaults to 64 KiB.
        var headerLimit = 64 << 10
        /// True if a client that has closed its sending side may still wait for its response. Defaults to false.
        var allowsHalfClose = false
    }

    private let options: Options
    private let currentLimits: NIOLockedValueBox<Limits>
    private let responder: any ClientResponder
    private let group: any EventLoopGroup
    private let table: ConnectionTable
    /// The tasks that answer clients.
    private let tasks = BackgroundTasks()
    private let timer: DrainTimer
    private let drainState: DrainState
    private let onRunning: @Sendable (any Channel) async -> Void
    private let onStep: @Sendable (GatewayStep) -> Void
    private let logger: Logger

    init(
        _ options: Options,
        _ limits: Limits,
        responder: any ClientResponder,
        stopping drainState: DrainState,
        on group: any EventLoopGroup,
        clock: WallClock,
        logger: Logger,
        onRunning: @escaping @Sendable (any Channel) async -> Void,
        onStep: @escaping @Sendable (GatewayStep) -> Void
    ) {
        self.options = options
        self.responder = responder
        self.group = group
        self.currentLimits = NIOLockedValueBox(limits)
        self.table = ConnectionTable(limit: limits.connections)
        self.timer = DrainTimer(clock)
        self.drainState = drainState
        self.onStep = onStep
        self.onRunning = onRunning
        self.logger = logger
    }

    private var limits: Limits { currentLimits.withLockedValue { $0 } }

    /// Changes the limits.
    func setLimits(_ limits: Limits) {
        currentLimits.withLockedValue { $0 = limits }
        table.setLimit(limits.connections)
    }

    /// The number of open connections, and of requests that are being answered.
    var load: (connections: Int, requests: Int) { table.load }

    /// Ends the current step of stopping, or the first step if the listener has not begun to stop.
    func hurry() { timer.skip() }

    func run() async throws {
        let sockets = try await listen()
        let inherited = try listenOnInheritedSockets()
        onStep(.serving)
        for socket in sockets { await onRunning(socket) }
        try? await gracefulShutdown()
        await drain(sockets, inherited)
    }

    // MARK: - Listening

    /// Begins to accept connections on the sockets that this process has inherited.
    private func listenOnInheritedSockets() throws -> [SharedListener] {
        let sockets =
            options.inherited.listen.map { ($0, false) }
            + [options.inherited.admin].compactMap(\.self).map { ($0, true) }
        return try sockets.map { socket, isAdministrative in
            let isLimited = !isAdministrative
            let listener = try SharedListener(socket.descriptor, table, isLimited: isLimited, on: group, logger) {
                guard isAdministrative || self.options.addressLimit.admitsPeer(of: $0) else {
                    throw ChannelError.ioOnClosedChannel
                }
                try self.open($0, isAdministrative)
            }
            listener.start()
            logger.info(
                "Listening\(isAdministrative ? " for admin requests" : "") on an inherited socket",
                metadata: ["address": "\(socket.address)"]
            )
            return listener
        }
    }

    private func listen() async throws -> [any Channel] {
        var sockets: [any Channel] = []
        do {
            for address in options.inherited.listen.isEmpty ? options.addresses : [] {
                let socket = try await bootstrap().bind(host: address.host, port: address.port).get()
                sockets.append(socket)
                let bound = socket.localAddress?.port ?? address.port
                logger.info("Listening", metadata: ["address": "\(ListenAddress(host: address.host, port: bound))"])
            }
            if options.inherited.admin == nil, let address = options.adminAddress {
                sockets.append(try await listenForAdmins(at: address))
            }
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
            // Only the user that runs the gateway may use the socket, from the moment of its creation.
            let mask = umask(0o177)
            defer { umask(mask) }
            socket = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        }
        logger.info("Listening for admin requests", metadata: ["address": "\(address)"])
        return socket
    }

    /// The limits of unsent bytes of a connection. A client that does not read holds one part of a body, and not four.
    /// There is room for a body of 16 KiB and its head.
    static var waterMark: ChannelOptions.Types.WriteBufferWaterMark { .init(low: 8 << 10, high: 20 << 10) }

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
            .childChannelOption(.writeBufferWaterMark, value: Self.waterMark)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.open(channel, isAdministrative) }
            }
    }

    private func open(_ channel: any Channel, _ isAdministrative: Bool) throws {
        let connection = ClientConnection(channel, isAdministrative: isAdministrative) { [table] in table.noteIdle() }
        table.add(connection)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(TransportHandler())
        let limits = limits
        let http = HTTPOptions(
            idleTimeout: TimeAmount(limits.idleTimeout),
            rate: limits.rate,
            headerLimit: limits.headerLimit,
            allowsHalfClose: limits.allowsHalfClose,
            drain: drainState
        )
        if let rate = http.rate { try pipeline.addHandler(SlowReaderHandler(rate)) }
        if !isAdministrative {
            for handler in options.firstHandlers(connection) { try pipeline.addHandler(handler) }
        }
        let front = HTTPFront(connection: connection, options: http, responder: responder, tasks: tasks, logger: logger)
        // Traffic to a loopback address does not leave this machine.
        let isInTheClear = isAdministrative && options.adminAddress?.isLoopback == true
        guard let tls = options.tls, !isInTheClear else { return try front.speakHTTP1() }
        try front.speakTLS(with: tls())
    }

    // MARK: - Stopping

    private func drain(_ sockets: [any Channel], _ inherited: [SharedListener]) async {
        let load = table.load
        let delay = timer.skipsNext ? .zero : limits.drainDelay
        onStep(.draining(requests: load.requests, delay: delay, timeout: limits.drainTimeout))
        logger.info(
            "Draining: each connection is closed after its next response",
            metadata: [
                "connections": "\(load.connections)", "requests": "\(load.requests)",
                "drain-delay": "\(delay)",
            ]
        )
        send(.began)
        await timer.wait(for: limits.drainDelay)
        for socket in sockets { await stopListening(socket) }
        for listener in inherited { await stopListening(listener) }
        send(.listenerClosed)
        let rest = table.load
        onStep(.finishing(requests: rest.requests, timeout: limits.drainTimeout))
        logger.info(
            "Stopped listening: requests in progress may finish",
            metadata: [
                "connections": "\(rest.connections)", "requests": "\(rest.requests)",
                "drain-timeout": "\(limits.drainTimeout)",
            ]
        )
        await finishConnections()
        let cut = table.load
        table.closeAll()
        tasks.cancelAll()
        await tasks.drain()
        guard cut.connections > 0 else { return logger.info("Stopped: all requests were answered") }
        logger.warning(
            "Stopped: the remaining requests were aborted",
            metadata: ["connections": "\(cut.connections)", "requests": "\(cut.requests)"]
        )
    }

    /// Waits until no connection is left, or until ``Limits/drainTimeout`` has passed.
    private func finishConnections() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [table] in
                while let connection = table.connections.first, !Task.isCancelled { await connection.closed() }
            }
            group.addTask { [timer, limits] in await timer.wait(for: limits.drainTimeout) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Sends an event about the listener to every connection, including those to come.
    private func send(_ event: DrainEvent) {
        drainState.note(event)
        table.fire(event)
    }

    /// Closes a listening socket when no connection waits to be accepted or set up, because such connections would be
    /// reset.
    private func stopListening(_ socket: any Channel) async {
        for _ in 0..<1_000 {
            let isClosed = try? await socket.eventLoop.submit { [table] in
                guard !socket.hasUnreadInput, table.isSetUp else { return false }
                socket.close(promise: nil)
                return true
            }.get()
            guard isClosed == false else { break }
            try? await pause()
        }
        try? await socket.close()
    }

    /// Stops accepting connections on an inherited socket. If another process shares it, some may wait at any moment,
    /// and are left to that process.
    private func stopListening(_ listener: SharedListener) async {
        for _ in 0..<250 where listener.hasPendingConnection { try? await pause() }
        await listener.stop()
        for _ in 0..<1_000 where !table.isSetUp { try? await pause() }
    }

    private func pause() async throws {
        try await group.any().scheduleTask(in: .milliseconds(1)) {}.futureResult.get()
    }
}

extension Channel {
    /// True if the socket has something that was not read: bytes, the end of the input, or a connection. Must be read
    /// on the event loop.
    var hasUnreadInput: Bool {
        let isPending = try? pipeline.syncOperations.withUnsafeTransportIfAvailable {
            (descriptor: NIOBSDSocket.Handle) in
            var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
            return poll(&descriptors, 1, 0) > 0
        }
        return isPending ?? false
    }
}

extension ClientConnection {
    /// Waits until the connection is closed, or the calling task is cancelled.
    fileprivate func closed() async {
        let (closed, close) = AsyncStream.makeStream(of: Never.self)
        channel.closeFuture.whenComplete { _ in close.finish() }
        for await _ in closed {}
    }
}
