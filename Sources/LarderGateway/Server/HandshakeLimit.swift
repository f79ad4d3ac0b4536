import NIOCore
import NIOTLS

/// A channel handler that closes a connection whose TLS handshake is not completed in time, or soon after the listener
/// has closed.
///
/// The limits of the HTTP handlers do not apply before the handshake is completed. Without this handler, a client that
/// connects and sends nothing could hold the connection indefinitely.
final class HandshakeLimit: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let limit: TimeAmount
    private let drain: DrainState
    private var end: Scheduled<Void>?

    init(_ limit: TimeAmount, _ drain: DrainState) { (self.limit, self.drain) = (limit, drain) }

    func handlerAdded(context: ChannelHandlerContext) {
        guard !drain.isListenerClosed else { return endSoon(context) }
        end = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { context.close(promise: nil) }
    }

    /// Closes the connection unless the handshake, which may be under way, is completed soon.
    private func endSoon(_ context: ChannelHandlerContext) {
        end?.cancel()
        end = context.eventLoop.assumeIsolated().scheduleTask(in: HTTPOptions.firstRequestTime) {
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case DrainEvent.listenerClosed = event { endSoon(context) }
        context.fireUserInboundEventTriggered(event)
        guard let event = event as? TLSUserEvent, case .handshakeCompleted = event else { return }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
