import NIOCore

/// A channel handler next to the socket of a connection that closes it without notifying the client: TLS would wait for
/// the client's close_notify.
final class TransportHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Closes the socket.
    func close() { context?.close(promise: nil) }
}
