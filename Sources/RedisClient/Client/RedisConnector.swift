import NIOCore
import NIOPosix
import NIOSSL

/// A factory for connections: it opens the socket, sets up TLS, and adds the handler that speaks RESP3.
struct RedisConnector: Sendable {
    private let configuration: RedisConfiguration
    private let group: any EventLoopGroup
    private let tls: NIOSSLContext?

    /// Creates a connector. Throws if the trusted certificates cannot be read.
    init(_ configuration: RedisConfiguration, group: any EventLoopGroup) throws(RedisError) {
        self.configuration = configuration
        self.group = group
        self.tls = try configuration.tls.map { tls throws(RedisError) in try NIOSSLContext(tls) }
    }

    /// Opens a connection. A caller that is cancelled does not wait for the attempt to end.
    func connect(
        generation: Int,
        onPush: @escaping @Sendable (RedisPush) -> Void
    ) async throws(RedisError) -> RedisConnection {
        let attempt = open(generation: generation, onPush: onPush)
        let first = attempt.eventLoop.makePromise(of: RedisConnection.self)
        attempt.cascade(to: first)
        do {
            return try await withTaskCancellationHandler {
                try await first.futureResult.get()
            } onCancel: {
                first.fail(RedisError.cancelled)
                attempt.whenSuccess { $0.close(.cancelled) }
            }
        } catch let error as RedisError {
            throw error
        } catch {
            throw RedisError(.unavailable, "cannot connect to \(configuration.endpoint)", underlying: error)
        }
    }

    private func open(
        generation: Int,
        onPush: @escaping @Sendable (RedisPush) -> Void
    ) -> EventLoopFuture<RedisConnection> {
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = try secure() { try channel.pipeline.syncOperations.addHandler(tls) }
                    let handler = RedisChannelHandler(
                        limits: configuration.limits,
                        silenceLimit: configuration.silenceLimit,
                        timeouts: configuration.timeouts,
                        eventLoop: channel.eventLoop,
                        onPush: onPush
                    )
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        let channel =
            switch configuration.endpoint {
            case .host(let host, let port): bootstrap.connect(host: host, port: port)
            case .unixSocket(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        return channel.flatMapThrowing { channel in
            let handler = try channel.pipeline.syncOperations.handler(type: RedisChannelHandler.self)
            return RedisConnection(handler, generation: generation)
        }
    }

    private func secure() throws -> NIOSSLClientHandler? {
        guard let tls, case .host(let host, _) = configuration.endpoint else { return nil }
        // An IP address is not sent as a server name. The certificate is then compared with the address itself.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host)
    }
}

extension NIOSSLContext {
    fileprivate convenience init(_ tls: RedisConfiguration.TLS) throws(RedisError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // "TLS 1.0 MUST NOT be used", nor TLS 1.1 (RFC 8996).
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        if let file = tls.trustRoots { configuration.trustRoots = .file(file) }
        do {
            try self.init(configuration: configuration)
        } catch {
            throw RedisError(.invalidConfiguration, "TLS cannot be set up", underlying: error)
        }
    }
}
