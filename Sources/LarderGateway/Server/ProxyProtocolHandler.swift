import Logging
import NIOCore

/// A channel handler that reads the header of the PROXY protocol before all other bytes of a connection from a trusted
/// proxy, and sets the connection's client address. A connection that does not begin with a header in time is closed.
final class ProxyProtocolHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: ClientConnection
    private let limit: TimeAmount
    private let addresses: AddressLimit?
    private let logger: Logger
    private var received = ByteBuffer()
    private var isDone = false
    private var end: Scheduled<Void>?

    /// Creates a handler.
    /// - Parameters:
    ///   - limit: The longest time that the header may take.
    ///   - addresses: The limit of connections from one address, applied to the client's address.
    init(_ connection: ClientConnection, limit: TimeAmount, _ addresses: AddressLimit?, _ logger: Logger) {
        self.connection = connection
        self.limit = limit
        self.addresses = addresses
        self.logger = logger
    }

    func handlerAdded(context: ChannelHandlerContext) {
        end = context.eventLoop.assumeIsolated().scheduleTask(in: limit) {
            self.isDone = true
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        received.writeImmutableBuffer(unwrapInboundIn(data))
        switch ProxyProtocolHeader.read(received.readableBytesView) {
        case .incomplete: break
        case .invalid:
            isDone = true
            logger.warning(
                "A connection from a trusted proxy was closed: it does not begin with a PROXY protocol header",
                metadata: ["proxy": "\(connection.address?.ipAddress ?? "unknown")"]
            )
            context.close(promise: nil)
        case .complete(let header, let length):
            isDone = true
            if !header.isLocal {
                connection.noteProxy(
                    for: header.client.flatMap { address in
                        try? SocketAddress(ipAddress: address.description, port: header.port ?? 0)
                    }
                )
                if let addresses, let client = header.client, !addresses.admits(context.channel, from: client) {
                    return context.close(promise: nil)
                }
            }
            received.moveReaderIndex(forwardBy: length)
            let rest = received
            received = ByteBuffer()
            if rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest.slice())) }
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
