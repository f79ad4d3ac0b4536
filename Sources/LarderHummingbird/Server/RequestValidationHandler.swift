import NIOCore
import NIOHTTP1

/// A channel handler that answers ambiguous requests with 400, after the responses to earlier requests, and then closes
/// the connection.
final class RequestValidationHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Phase {
        case open
        /// The request is rejected as soon as the responses to earlier requests are written.
        case refusing(sentence: String, isHead: Bool)
        /// The rejection is written. Further bytes from the client are read and dropped, so that the connection is not
        /// reset before the client has read the response.
        case refused
    }

    /// The time that a client has to read the response before its connection is closed: 1 second.
    private static let lingerTime = TimeAmount.seconds(1)

    private var phase = Phase.open
    private var unanswered = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .open = phase else { return }
        guard case .head(let head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        var normalized = head
        guard let sentence = HTTP1RequestValidator.normalize(&normalized) else {
            unanswered += 1
            return context.fireChannelRead(wrapInboundOut(.head(normalized)))
        }
        phase = .refusing(sentence: sentence, isHead: head.method == .HEAD)
        refuseInTurn(context)
    }

    /// Notes that a request was answered by a handler behind this one, whose response did not pass here.
    func noteAnswered() { unanswered -= 1 }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // The server does not request further reads.
        if case .refused = phase { context.read() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        context.write(data, promise: promise)
        guard case .end = part else { return }
        unanswered -= 1
        refuseInTurn(context)
    }

    private func refuseInTurn(_ context: ChannelHandlerContext) {
        guard case .refusing(let sentence, let isHead) = phase, unanswered <= 0 else { return }
        phase = .refused
        let body = ByteBuffer(string: sentence + "\n")
        let fields: HTTPHeaders = [
            "Content-Type": "text/plain; charset=utf-8", "Content-Length": "\(body.readableBytes)",
            "Connection": "close",
        ]
        let head = HTTPResponseHead(version: .http1_1, status: .badRequest, headers: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        let ended = context.eventLoop.makePromise(of: Void.self)
        context.close(mode: .output, promise: ended)
        ended.futureResult.assumeIsolated().whenComplete { _ in
            context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) { context.close(promise: nil) }
            context.read()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .refused = phase, case ChannelEvent.inputClosed = event { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
