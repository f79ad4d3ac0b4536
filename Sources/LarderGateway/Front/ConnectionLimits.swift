import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOSSL
import NIOTLS

/// Ends a connection that does not come to speak TLS in time, or that has not when the gateway stops.
///
/// Until then there is no HTTP on it, whose handlers have limits of their own: whoever connects and says nothing would
/// keep the connection for ever.
final class HandshakeLimit: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let limits: ConnectionLimits
    private var end: Scheduled<Void>?

    init(_ limits: ConnectionLimits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) {
        end = context.eventLoop.assumeIsolated().scheduleTask(in: limits.handshake) { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
        guard let event = event as? TLSUserEvent, case .handshakeCompleted = event else { return }
        let pipeline = context.pipeline.syncOperations
        // Whoever has heard of it has set up the protocol that was agreed on.
        if let http2 = try? pipeline.handler(type: NIOHTTP2Handler.self) {
            do {
                try pipeline.addHandler(FarewellLimit(limits.farewell), position: .after(http2))
            } catch {
                context.close(promise: nil)
            }
        }
        pipeline.removeHandler(context: context, promise: nil)
    }
}

/// Ends a connection by HTTP/2 that was told to end (RFC 9113 §6.8) and does not.
///
/// Hummingbird says GOAWAY to one that is idle, and waits for an answer to the PING behind it, which a client need not
/// give.
final class FarewellLimit: ChannelOutboundHandler {
    typealias OutboundIn = HTTP2Frame

    private let limit: TimeAmount
    private var end: Scheduled<Void>?

    init(_ limit: TimeAmount) { self.limit = limit }

    func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if end == nil, case .goAway = unwrapOutboundIn(data).payload {
            end = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { context.close(promise: nil) }
        }
        context.write(data, promise: promise)
    }
}

/// How long a connection may take where no request is under way.
struct ConnectionLimits: Sendable {
    /// From its beginning until it speaks TLS.
    var handshake: TimeAmount
    /// From when it is told to end.
    var farewell: TimeAmount
}

/// The set-up of connections by TLS, with a ``HandshakeLimit``.
struct LimitedConnections<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base
    let limits: ConnectionLimits

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let tls = try pipeline.handler(type: NIOSSLServerHandler.self)
            try pipeline.addHandler(HandshakeLimit(limits), position: .after(tls))
            return value
        }
    }

    func handle(value: Base.Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}
