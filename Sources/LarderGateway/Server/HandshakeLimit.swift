import NIOCore
import NIOTLS

/// Ends a connection that does not come to speak TLS in time, or that has not when the listener closes.
///
/// Until then there is no HTTP on it, whose handlers have limits of their own: whoever connects and says nothing would
/// keep the connection without end.
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

    /// Ends the connection unless the handshake, which may be under way, is completed soon.
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
