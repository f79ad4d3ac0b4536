import HTTPTypes
import LarderHummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A channel handler after the HTTP/1.1 decoder that reads requests, frames responses, and ends the connection.
///
/// A refused request is forwarded as a separate part, so that it is answered in order, after the responses to the
/// requests before it. Nothing after it is read.
final class HTTP1Handler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = ClientPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Phase {
        case open
        /// The output ends when everything is written.
        case ending
        /// The output has ended. Bytes that the client still sends are read and dropped, so that the connection is not
        /// reset before the client has read the last response.
        case lingering
    }

    private let client: ClientConnection
    private let presence: ClientPresence
    private let options: HTTPOptions
    private let recorder: HeadRecorder
    private var state = HTTP1ConnectionState()
    private var phase = Phase.open
    private let idle: IdleTimer
    private let pace: RateTimer
    /// True if the connection is to read more bytes of the client.
    private var isReading = false
    private var dropsBody = false
    /// The number of responses that were written completely.
    private var answered = 0

    init(_ client: ClientConnection, _ presence: ClientPresence, _ options: HTTPOptions, _ recorder: HeadRecorder) {
        self.client = client
        self.presence = presence
        self.options = options
        self.recorder = recorder
        self.idle = IdleTimer(options.idleTimeout)
        self.pace = RateTimer(options.rate)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        idle.cancel()
        pace.cancel()
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        watchIdleness(context)
        if options.drain.isListenerClosed { endWhenIdle(context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        idle.cancel()
        pace.cancel()
        client.endRequests(state.unanswered)
        if state.unanswered > 0 { presence.leave() }
        context.fireChannelInactive()
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        idle.touch()
        guard case .open = phase else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            recorder.completeHead()
            if !state.isDone { read(head, context) }
        case .body(let part):
            if state.isInContent { fire(.body(part), context) }
        case .end:
            recorder.completeMessage()
            guard state.isInContent else { return }
            state.endRequest()
            fire(.end, context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        watchPace(context)
        context.fireChannelReadComplete()
        // After the last response, only this handler asks for more bytes.
        if case .lingering = phase { context.read() }
    }

    func read(context: ChannelHandlerContext) {
        isReading = true
        context.read()
    }

    /// Answers 408 if the client sends the rest of a request too slowly.
    private func watchPace(_ context: ChannelHandlerContext) {
        guard isInRequest else { return }
        pace.start(on: context.eventLoop, moved: recorder.received) {
            guard self.isInRequest else { return .nothingPending }
            let moved = self.recorder.received
            return self.isReading ? .pending(moved: moved) : .held(moved: moved)
        } onSlow: {
            self.breakOff(self.recorder.slowRefusal, context)
            // Parts are forwarded at the end of a read.
            context.fireChannelReadComplete()
        }
    }

    /// True if a request has begun, and more of it is expected.
    private var isInRequest: Bool {
        guard case .open = phase else { return false }
        return state.isInContent || recorder.isInHead && !state.isDone
    }

    private func read(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var normalized = head
        var refusal = HTTP1RequestValidator.normalize(&normalized).map { RequestRefusal($0) }
        var request: HTTPRequest?
        do {
            request = try HTTPRequest(normalized, secure: false, splitCookie: false)
        } catch {
            refusal = refusal ?? RequestRefusal("The method is not a valid token")
        }
        let isHTTP10 = head.version.minor == 0
        if let request, refusal == nil { refusal = request.excess(over: options.headerLimit) }
        if var refusal {
            (refusal.method, refusal.target) = (head.method.rawValue, head.uri)
            refusal.version = head.version.text
            return refuse(refusal, isHTTP10: isHTTP10, isHead: head.method == .HEAD, context)
        }
        guard let request else { preconditionFailure("A request that is not refused must have been read") }
        // The decoder reads nothing after a request that asks for an upgrade. Such a request is answered like any
        // other.
        let closes = !head.isKeepAlive || head.headers.contains(name: "Upgrade")
        state.begin(HTTP1ConnectionState.Request(closes: closes, isHTTP10: isHTTP10, isHead: head.method == .HEAD))
        client.beginRequest()
        fire(.head(request, head.version), context)
    }

    private func refuse(_ refusal: RequestRefusal, isHTTP10: Bool, isHead: Bool, _ context: ChannelHandlerContext) {
        state.refuse(isHTTP10: isHTTP10, isHead: isHead)
        client.beginRequest()
        fire(.refused(refusal), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Bytes that follow after the decoder has failed are dropped.
        if error is ByteToMessageDecoderError { return }
        guard let error = error as? HTTPParserError else {
            presence.leave()
            context.fireErrorCaught(error)
            return context.close(promise: nil)
        }
        guard case .open = phase else { return }
        breakOff(
            state.isInContent
                ? RequestRefusal("The content is incomplete or malformed")
                : recorder.refusal(because: error, limit: options.headerLimit),
            context
        )
    }

    /// Stops reading, and refuses the request that was being read.
    private func breakOff(_ refusal: RequestRefusal, _ context: ChannelHandlerContext) {
        switch state.malformed() {
        case .refuse:
            client.beginRequest()
            fire(.refused(refusal), context)
        case .breakContent: fire(.broken(refusal), context)
        case .ignore(let action): follow(action, context)
        }
    }

    private func fire(_ part: ClientPart, _ context: ChannelHandlerContext) {
        context.fireChannelRead(wrapInboundOut(part))
    }

    // MARK: - Responses

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): write(head, promise, context)
        case .body(let part):
            guard !dropsBody else { return succeed(promise) }
            context.write(wrapOutboundOut(.body(.byteBuffer(part))), promise: promise)
        case .end:
            // The encoder writes a last chunk if there is no length, and does not know that the request was HEAD: the
            // client would take the chunk for the beginning of the next response.
            let promise = presence.holding(promise, on: context.eventLoop)
            if dropsBody { succeed(promise) } else { context.write(wrapOutboundOut(.end(nil)), promise: promise) }
            let unanswered = state.unanswered
            let action = state.endResponse()
            answered += unanswered - state.unanswered
            client.endRequests(unanswered - state.unanswered)
            if action != .none { context.flush() }
            follow(action, context)
            leaveIfLast()
            watchIdleness(context)
            if options.drain.isListenerClosed { endWhenIdle(context) }
        }
    }

    private func write(_ response: HTTPResponse, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        guard response.status.kind != .informational else {
            return context.write(wrapOutboundOut(.head(HTTPResponseHead(response))), promise: promise)
        }
        let hasKnownEnd =
            response.status == .noContent || response.status == .notModified
            || response.headerFields.contains(.contentLength)
        let isDraining = options.drain.isDraining
        guard let framing = state.beginResponse(hasKnownEnd: hasKnownEnd, isDraining: isDraining) else {
            dropsBody = true
            return succeed(promise)
        }
        dropsBody = framing.dropsBody
        var head = HTTPResponseHead(response)
        // "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request indicates
        // HTTP/1.1 (or later minor revisions)" (RFC 9112 §6.1): the encoder goes by the version.
        if framing.isHTTP10 { head.version = .http1_0 }
        // "A server that does not support persistent connections MUST send the "close" connection option in every
        // response message that does not have a 1xx (Informational) status code" (§9.3). A server that ends one
        // connection may send it as well. HTTP/1.0 clients need a field that says that the connection persists
        // (§C.2.2).
        if framing.closes {
            head.headers.replaceOrAdd(name: "Connection", value: "close")
        } else if framing.isHTTP10 {
            head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    private func succeed(_ promise: EventLoopPromise<Void>?) { promise?.succeed() }

    // MARK: - The end of the connection

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            context.fireUserInboundEventTriggered(event)
            guard case .open = phase else {
                if case .lingering = phase { context.close(promise: nil) }
                return
            }
            follow(state.closeInput(isLeaving: !options.allowsHalfClose), context)
        case DrainEvent.listenerClosed: endWhenIdle(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func follow(_ action: HTTP1ConnectionState.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .none: break
        case .leave: presence.leave(from: answered)
        case .close: context.close(promise: nil)
        case .endOutput: endOutput(context)
        }
    }

    /// Notes that a client that has stopped sending does not wait for its last response either.
    private func leaveIfLast() {
        if state.isAtLastResponse, !options.allowsHalfClose { presence.leave(from: answered) }
    }

    /// Ends the output once everything is written, and the connection when the client has read it, or after
    /// ``HTTPOptions/lingerTime``.
    private func endOutput(_ context: ChannelHandlerContext) {
        guard case .open = phase else { return }
        phase = .ending
        let ended = context.eventLoop.makePromise(of: Void.self)
        context.close(mode: .output, promise: ended)
        ended.futureResult.assumeIsolated().whenComplete { result in
            guard case .success = result, !self.state.isInputClosed else { return context.close(promise: nil) }
            self.phase = .lingering
            context.eventLoop.assumeIsolated().scheduleTask(in: HTTPOptions.lingerTime) { context.close(promise: nil) }
            context.read()
        }
    }

    /// Closes an idle connection if nothing more is received for a moment, because a request may be on its way.
    private func endWhenIdle(_ context: ChannelHandlerContext) {
        guard case .open = phase, state.endIfIdle() == .close, !recorder.isInHead else { return }
        let time = state.isNew ? HTTPOptions.firstRequestTime : HTTPOptions.graceTime
        context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            guard case .open = self.phase, self.state.endIfIdle() == .close, !self.recorder.isInHead else { return }
            context.close(promise: nil)
        }
    }

    private func watchIdleness(_ context: ChannelHandlerContext) {
        idle.start(on: context) { self.state.waitsForResponse }
    }
}
