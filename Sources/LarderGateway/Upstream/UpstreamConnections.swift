import AsyncHTTPClient
import NIOCore
import NIOSSL

/// The connections to origins that are made with one set of options. They are closed once nothing uses them: neither
/// the client that hands them out, nor a response whose body is still being received.
final class UpstreamConnections: Sendable {
    let client: HTTPClient
    let options: UpstreamClient.Options
    /// The requests under way on these connections.
    let load: OriginLoad

    /// The allocator for reads of 8 KiB at most: each connection whose response waits for a slow client holds a few of
    /// them.
    private static let readAllocator = AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 2_048, maximum: 8 << 10)

    init(_ options: UpstreamClient.Options, attempts: AttemptTable, on group: any EventLoopGroup) {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        configuration.httpVersion = .automatic
        configuration.timeout = HTTPClient.Configuration.Timeout(
            connect: TimeAmount(options.connectTimeout),
            read: TimeAmount(options.idleTimeout),
            write: TimeAmount(options.idleTimeout)
        )
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = options.connectionsPerOrigin
        // A refused connection is a result: another attempt would only make the client wait.
        configuration.connectionPool.retryConnectionEstablishment = false
        // This is shorter than the time for which servers commonly keep idle connections open, so few requests meet a
        // closing one.
        configuration.connectionPool.idleTimeout = .seconds(4)
        var tls = TLSConfiguration.modernClient
        if let roots = options.trustRoots { tls.trustRoots = .certificates(roots) }
        configuration.tlsConfiguration = tls
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.setOption(.recvAllocator, value: Self.readAllocator).flatMap { attempts.watch(channel) }
        }
        configuration.http2StreamChannelDebugInitializer = { attempts.watchStream($0) }
        self.options = options
        self.load = OriginLoad(limit: options.connectionsPerOrigin)
        self.client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    // The client library ends the process if a client is released without being shut down.
    deinit { client.shutdown { _ in } }
}
