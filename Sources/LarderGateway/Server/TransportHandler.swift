import NIOCore

/// Stands next to the socket of a connection, and closes it without a word to the client: TLS would wait for the
/// client's consent.
final class TransportHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Closes the socket.
    func close() { context?.close(promise: nil) }
}
