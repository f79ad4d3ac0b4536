import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOHTTPTypes

/// A channel handler after the codec of an HTTP/2 stream that reads its request, and notices when the client resets it.
final class HTTP2StreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = ClientPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Phase {
        case waiting
        case reading
        /// The request is read, or will not be read.
        case read
    }

    /// The largest size of a piece of content that is written at once, in bytes: 16 KiB, the size of a frame.
    private static let piece = 16 << 10

    private let client: ClientConnection
    private let presence: ClientPresence
    private let options: HTTPOptions
    private let idle: IdleTimer
    private var phase = Phase.waiting
    private var isUnanswered = false
    private let pace: RateTimer
    private let readers: RateTimer
    /// True if the stream is to read content of the client.
    private var isReading = false
    /// The number of all bytes of content that were received.
    private var received = 0
    /// The numbers of all bytes of the response that were written, and that were sent.
    private var (written, sent) = (0, 0)

    init(_ client: ClientConnection, _ presence: ClientPresence, _ options: HTTPOptions) {
        self.client = client
        self.presence = presence
        self.options = options
        self.idle = IdleTimer(options.idleTimeout)
        self.pace = RateTimer(options.rate)
        // A piece counts when all of it is sent, so the time is longer by the time that one piece takes.
        self.readers = RateTimer(
            options.rate.flatMap { rate in
                ClientRate(rate.rate, over: rate.time + .milliseconds(Int64(Self.piece * 1_000 / rate.rate)))
            }
        )
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { watchIdleness(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { cancelTimers() }

    private func cancelTimers() {
        idle.cancel()
        pace.cancel()
        readers.cancel()
    }

    func channelActive(context: ChannelHandlerContext) {
        watchIdleness(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        cancelTimers()
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
                refuse(refusal.with(head, .http2), context)
            } else {
                phase = .reading
                fire(.head(head, .http2), context)
            }
        case (.body(let part), .reading):
            received += part.readableBytes
            fire(.body(part), context)
        case (.end, .reading):
            phase = .read
            fire(.end, context)
        case (.head, _), (.body, _), (.end, _): break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        watchPace(context)
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        isReading = true
        context.read()
    }

    /// Answers 408 if the client sends the rest of a request too slowly.
    private func watchPace(_ context: ChannelHandlerContext) {
        guard case .reading = phase else { return }
        pace.start(on: context.eventLoop, moved: received) {
            guard case .reading = self.phase else { return .nothingPending }
            return self.isReading ? .pending(moved: self.received) : .held(moved: self.received)
        } onSlow: {
            self.phase = .read
            self.fire(.broken(.slowRequest), context)
            // Parts are forwarded at the end of a read.
            context.fireChannelReadComplete()
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
            return fire(.broken(RequestRefusal("The content is incomplete or malformed")), context)
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
        switch unwrapOutboundIn(data) {
        case .body(let part) where options.rate != nil: write(part, promise, context)
        case .end:
            endResponse(isLeaving: false)
            context.write(data, promise: presence.holding(promise, on: context.eventLoop))
        case .head, .body: context.write(data, promise: promise)
        }
    }

    /// Writes content in pieces, so that the handler learns how much of it is sent.
    private func write(_ part: ByteBuffer, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        written += part.readableBytes
        var rest = part
        repeat {
            guard let piece = rest.readSlice(length: min(rest.readableBytes, Self.piece)) else { break }
            let left = context.eventLoop.makePromise(of: Void.self)
            if rest.readableBytes == 0 { left.futureResult.cascade(to: promise) }
            left.futureResult.assumeIsolated().whenSuccess { self.sent += piece.readableBytes }
            context.write(wrapOutboundOut(.body(piece)), promise: left)
        } while rest.readableBytes > 0
        watchReader(context)
    }

    /// Resets a stream whose client does not open its window fast enough for the response to be sent. Time in which the
    /// connection as a whole is full does not count: its streams share it, and ``SlowReaderHandler`` watches it.
    private func watchReader(_ context: ChannelHandlerContext) {
        readers.start(on: context.eventLoop, moved: sent) {
            guard self.written > self.sent else { return .nothingPending }
            let isFull = self.client.channel.bufferedBytes > 0
            return isFull ? .held(moved: self.sent) : .pending(moved: self.sent)
        } onSlow: {
            context.close(promise: nil)
        }
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
