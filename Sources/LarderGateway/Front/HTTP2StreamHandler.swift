import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOHTTPTypes

/// Stands behind the codec of an HTTP/2 stream: reads its request, and notices when the client resets it.
final class HTTP2StreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = ClientPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Phase {
        case waiting
        case reading
        /// The request is read, or will not be.
        case read
    }

    private let client: ClientConnection
    private let presence: ClientPresence
    private let options: HTTPOptions
    private let idle: IdleTimer
    private var phase = Phase.waiting
    private var isUnanswered = false

    init(_ client: ClientConnection, _ presence: ClientPresence, _ options: HTTPOptions) {
        self.client = client
        self.presence = presence
        self.options = options
        self.idle = IdleTimer(options.idleTimeout)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { watchIdleness(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { idle.cancel() }

    func channelActive(context: ChannelHandlerContext) {
        watchIdleness(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        idle.cancel()
        endResponse(isLeaving: true)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        idle.touch()
        switch (unwrapInboundIn(data), phase) {
        case (.head(let head), .waiting):
            isUnanswered = true
            client.beginRequest()
            if let refusal = head.excess(over: options.headerLimit) {
                refuse(refusal.naming(head, .http2), context)
            } else {
                phase = .reading
                fire(.head(head, .http2), context)
            }
        case (.body(let part), .reading): fire(.body(part), context)
        case (.end, .reading):
            phase = .read
            fire(.end, context)
        case (.head, _), (.body, _), (.end, _): break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch (error, phase) {
        case (is NIOHTTP2Errors.StreamClosed, _): endResponse(isLeaving: true)
        case (_, .waiting):
            isUnanswered = true
            client.beginRequest()
            var refusal = RequestRefusal("The request's header fields are malformed")
            refusal.version = HTTPVersion.http2.text
            return refuse(refusal, context)
        case (_, .reading):
            phase = .read
            return fire(.broken(RequestRefusal("The content broke off, or is malformed")), context)
        case (_, .read): break
        }
        context.fireErrorCaught(error)
    }

    private func refuse(_ refusal: RequestRefusal, _ context: ChannelHandlerContext) {
        phase = .read
        fire(.refused(refusal), context)
    }

    private func fire(_ part: ClientPart, _ context: ChannelHandlerContext) {
        context.fireChannelRead(wrapInboundOut(part))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { endResponse(isLeaving: false) }
        context.write(data, promise: promise)
    }

    private func endResponse(isLeaving: Bool) {
        guard isUnanswered else { return }
        isUnanswered = false
        client.endRequests()
        if isLeaving { presence.leave() }
    }

    private func watchIdleness(_ context: ChannelHandlerContext) {
        idle.start(on: context) { if case .read = self.phase { true } else { false } }
    }
}
