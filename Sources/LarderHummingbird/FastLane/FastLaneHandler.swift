import HTTPCaching
import HTTPTypes
import Larder
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// A channel handler behind the HTTP/1.1 decoder that answers hits before middleware, and ends idle connections.
///
/// Hummingbird's handler for idle connections does not see the requests that are answered here, so this one replaces
/// it.
final class FastLaneHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let lane: FastLane
    private let validation: RequestValidationHandler
    private let idleTimeout: TimeAmount?
    private var encoder: ChannelHandlerContext?
    /// The head of a request without content that may be answered here, until its end is read.
    private var held: HTTPRequestHead?
    private var unanswered = 0
    private var isReadingRequest = false
    private var isQuiescing = false
    private var isFlushDue = false
    private var lastActive = NIODeadline.now()
    private var idleTask: Scheduled<Void>?

    init(_ lane: FastLane, behind validation: RequestValidationHandler, idleTimeout: TimeAmount?) {
        self.lane = lane
        self.validation = validation
        self.idleTimeout = idleTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
        watchIdleness(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        encoder = nil
        idleTask?.cancel()
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActive = .now()
        switch unwrapInboundIn(data) {
        case .head(let head):
            if mayAnswer(head, context) { held = head } else { forward(head, context) }
        case .body:
            forwardHeld(context)
            context.fireChannelRead(data)
        case .end:
            if let head = held, let response = lane.response(to: head) {
                held = nil
                return send(response)
            }
            forwardHeld(context)
            isReadingRequest = false
            context.fireChannelRead(data)
        }
    }

    private func mayAnswer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) -> Bool {
        unanswered == 0 && !isQuiescing && encoder != nil && context.channel.isWritable && head.mayBeAnsweredAtOnce
    }

    private func forward(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        unanswered += 1
        isReadingRequest = true
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func forwardHeld(_ context: ChannelHandlerContext) {
        guard let head = held else { return }
        held = nil
        forward(head, context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        guard isFlushDue else { return }
        isFlushDue = false
        context.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        forwardHeld(context)
        context.fireErrorCaught(error)
    }

    // MARK: - Responses

    private func send(_ response: EncodedResponse) {
        guard let encoder else { preconditionFailure("Requests are held only if there is an encoder") }
        encoder.write(NIOAny(IOData.byteBuffer(response.bytes)), promise: nil)
        if let (body, entry) = response.rest {
            // The entry is charged to the memory in flight until its body is written.
            let promise = encoder.eventLoop.makePromise(of: Void.self)
            promise.futureResult.whenComplete { _ in withExtendedLifetime(entry) {} }
            encoder.write(NIOAny(IOData.byteBuffer(body)), promise: promise)
        }
        isFlushDue = true
        validation.noteAnswered()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            unanswered -= 1
            lastActive = .now()
            if unanswered == 0 { watchIdleness(context) }
        }
        context.write(data, promise: promise)
    }

    // MARK: - Idle connections

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { isQuiescing = true }
        context.fireUserInboundEventTriggered(event)
    }

    /// Closes the connection when the client has sent nothing for the idle timeout, unless it waits for a response.
    private func watchIdleness(_ context: ChannelHandlerContext) {
        guard let idleTimeout, idleTask == nil else { return }
        let left = max(.zero, lastActive + idleTimeout - .now())
        idleTask = context.eventLoop.assumeIsolated().scheduleTask(in: left) {
            self.idleTask = nil
            // A request that is being answered starts the timer again when its response ends.
            guard self.isReadingRequest || self.unanswered == 0 else { return }
            if self.lastActive + idleTimeout <= .now() {
                context.close(promise: nil)
            } else {
                self.watchIdleness(context)
            }
        }
    }
}
