import NIOCore
import NIOPosix
import NIOSSL

/// Connections over TLS that tests read from and write to as they are.
enum TLSClient {
    /// Connects to a server of this machine, whose certificate is not verified. What is written waits for the
    /// handshake.
    /// - Parameters:
    ///   - configure: Changes the configuration of TLS.
    ///   - setUp: Adds handlers behind TLS.
    static func connect(
        to port: Int,
        configure: (inout TLSConfiguration) -> Void = { _ in },
        setUp: @escaping @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void = { _ in }
    ) async throws -> any Channel {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        configure(&tls)
        let context = try NIOSSLContext(configuration: tls)
        return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
                    try setUp(pipeline)
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }
}
