import HTTPTypes
import Larder
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOHTTPTypes

/// A channel handler after the codec of an HTTP/2 stream that reads its request, and notices when the client resets it.
///
/// If the response is in memory, the handler sends it. Otherwise it starts the task that answers the request.
final class HTTP2StreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = ClientPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Phase {
        case waiting
        /// The head of a request that may be answered at once is held until the end of the request, which follows in
        /// the same frame if there is no content.
        case held(HTTPRequest)
        case reading
        /// The request is read, or will not be read.
        case read
    }

    /// The largest size of a piece of content that is written at once, in bytes: 16 KiB, the size of a frame.
    private static let piece = 16 << 10

    private let client: ClientConnection
    private let presence: ClientPresence
    private let options: HTTPOptions
    private let responder: any ClientResponder
    /// Starts the task that answers the request, which receives the parts that are forwarded from then on.
    private let startTask: () throws -> Void
    private var hasTask = false
    private let idle: IdleTimer
    private var phase = Phase.waiting
    private var isUnanswered = false
    /// The time at which the head was read.
    private var headAt = NIODeadline.now()
    /// The response that is being written.
    private var sending: PendingResponse?
    private let pace: RateTimer
    private let readers: RateTimer
    /// True if the stream is to read content of the client.
    private var isReading = false
    /// The number of all bytes of content that were received.
    private var received = 0
    /// The numbers of all bytes of the response that were written, and that were sent.
    private var (written, sent) = (0, 0)

    init(
        _ client: ClientConnection,
        _ presence: ClientPresence,
        _ options: HTTPOptions,
        _ responder: any ClientResponder,
        startTask: @escaping () throws -> Void
    ) {
        self.client = client
        self.presence = presence
        self.options = options
        self.responder = responder
        self.startTask = startTask
        self.idle = IdleTimer(options.idleTimeout)
        self.pace = RateTimer(options.rate)
        // A piece counts when all of it is sent, so the time is longer by the time that one piece takes.
        self.readers = RateTimer(
            options.rate.flatMap { rate in
                ClientRate(rate.rate, over: rate.time + .milliseconds(Int64(Self.piece * 1_000 / rate.rate)))
            }
        )
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        cancelTimers()
        sending = nil
    }

    private func cancelTimers() {
        idle.cancel()
        pace.cancel()
        readers.cancel()
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
            headAt = idle.lastActive
            isUnanswered = true
            client.beginRequest()
            if let refusal = head.excess(over: options.headerLimit) {
                refuse(refusal.with(head, .http2), context)
            } else if head.hasContent {
                forward(head, context)
            } else {
                phase = .held(head)
            }
        case (.end, .held(let head)):
            if let response = responder.respondAtOnce(to: head, receivedAt: headAt, on: client) {
                phase = .read
                return send(response, context)
            }
            forward(head, context)
            phase = .read
            fire(.end, context)
        case (.body(let part), .reading):
            received += part.readableBytes
            fire(.body(part), context)
        case (.end, .reading):
            phase = .read
            fire(.end, context)
        case (.head, _), (.body, _), (.end, _): break
        }
    }

    private func forward(_ head: HTTPRequest, _ context: ChannelHandlerContext) {
        phase = .reading
        fire(.head(head, .http2, at: headAt), context)
    }

    /// Leaves a request whose end did not follow at once, or cannot follow any more, to the task.
    private func forwardHeld(_ context: ChannelHandlerContext) {
        if case .held(let head) = phase { forward(head, context) }
    }

    /// Sends a response before the request enters Swift concurrency.
    private func send(_ answer: ImmediateResponse<ServedResponse>, _ context: ChannelHandlerContext) {
        let response = answer.response
        var record = answer.record
        let isSmall = record.bytes <= ImmediateResponse<ServedResponse>.smallBody
        record.beganAt = .now()
        if response.entry != nil || !isSmall {
            var pending = PendingResponse(holder: response.entry)
            if !isSmall { pending.onEnd = { [responder, record] in responder.complete(record, at: .now()) } }
            presence.expect(pending)
        }
        write(context: context, data: wrapOutboundOut(.head(response.head)), promise: nil)
        if let body = response.body {
            write(context: context, data: wrapOutboundOut(.body(body)), promise: nil)
        }
        write(context: context, data: wrapOutboundOut(.end(nil)), promise: nil)
        context.flush()
        if isSmall { responder.complete(record, at: .now()) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        forwardHeld(context)
        watchIdleness(context)
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
        case (_, .held), (_, .reading):
            forwardHeld(context)
            phase = .read
            return fire(.broken(RequestRefusal("The content is incomplete or malformed")), context)
        case (_, .read): break
        }
        context.fireErrorCaught(error)
    }

    private func refuse(_ refusal: RequestRefusal, _ context: ChannelHandlerContext) {
        phase = .read
        fire(.refused(refusal, at: idle.lastActive), context)
    }

    private func fire(_ part: ClientPart, _ context: ChannelHandlerContext) {
        if !hasTask {
            hasTask = true
            do { try startTask() } catch { return context.close(promise: nil) }
        }
        context.fireChannelRead(wrapInboundOut(part))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            if head.status.kind != .informational {
                sending = presence.takeResponse()
                sending?.record?.begin()
            }
            context.write(data, promise: promise)
        case .body(let part):
            sending?.record?.add(part)
            if options.rate == nil { context.write(data, promise: promise) } else { write(part, promise, context) }
        case .end:
            endResponse(isLeaving: false)
            let promise = sending?.ending(promise, on: context.eventLoop) ?? promise
            sending = nil
            context.write(data, promise: promise)
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

    /// Starts the timer when the first frame of the stream was read, unless the whole request was.
    private func watchIdleness(_ context: ChannelHandlerContext) {
        if case .read = phase { return }
        idle.start(on: context) { if case .read = self.phase { .stop } else { .close } }
    }
}
