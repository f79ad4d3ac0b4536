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

    enum Phase {
        case open
        /// The output ends when everything is written.
        case ending
        /// The output has ended. Bytes that the client still sends are read and dropped, so that the connection is not
        /// reset before the client has read the last response.
        case lingering
    }

    private let client: ClientConnection
    let presence: ClientPresence
    let options: HTTPOptions
    let recorder: HeadRecorder
    private let responder: any ClientResponder
    var state = HTTP1ConnectionState()
    var phase = Phase.open
    let idle: IdleTimer
    private let pace: RateTimer
    /// True if the connection is to read more bytes of the client.
    private var isReading = false
    private var dropsBody = false
    /// The number of responses that were written completely, without those that were sent at once.
    var answered = 0
    /// The head of a request without content that may be answered at once, until its end is read, and the response to
    /// an equal request before.
    private var held: (head: HTTPRequestHead, known: KnownResponse?)?
    /// The time at which the last head was read.
    private var headAt = NIODeadline.now()
    /// The response that is being written.
    private var sending: PendingResponse?
    /// The context of the encoder, from which encoded responses are written.
    private var encoder: ChannelHandlerContext?
    /// The handler that knows what the socket has not taken; nil if clients may read as slowly as they like.
    private var slowReader: SlowReaderHandler?
    /// True if a response was sent at once, and not flushed.
    private var isFlushDue = false
    /// The responses that were sent at once, are not flushed, and have a body that is shared with the store.
    private var unsent: [ImmediateResponse<EncodedResponse>] = []

    init(
        _ client: ClientConnection,
        _ presence: ClientPresence,
        _ options: HTTPOptions,
        _ recorder: HeadRecorder,
        _ responder: any ClientResponder
    ) {
        self.client = client
        self.presence = presence
        self.options = options
        self.recorder = recorder
        self.responder = responder
        self.idle = IdleTimer(options.idleTimeout)
        self.pace = RateTimer(options.rate)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
        slowReader = try? context.pipeline.syncOperations.handler(type: SlowReaderHandler.self)
        recorder.answerAgain = { [unowned self] in answerAgain($0) }
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        encoder = nil
        slowReader = nil
        recorder.answerAgain = nil
        idle.cancel()
        pace.cancel()
        sending = nil
        completeUnsent()
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
            headAt = idle.lastActive
            recorder.completeHead()
            guard !state.isDone else { return }
            if !hold(head) { read(head, context) }
        case .body(let part):
            if state.isInContent { fire(.body(part), context) }
        case .end:
            recorder.completeMessage()
            if let (head, known) = held {
                held = nil
                if let known, let response = responder.repeat(known, to: head, receivedAt: headAt, on: client) {
                    recorder.noteRepeated(known, for: head)
                    return send(response)
                }
                read(head, context, isComplete: true)
            }
            guard state.isInContent else { return }
            state.endRequest()
            fire(.end, context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        watchPace(context)
        context.fireChannelReadComplete()
        if isFlushDue { flushResponses(context) }
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

    /// Reads a head, and sends the response at once if the request is complete and the response is in memory.
    private func read(_ head: HTTPRequestHead, _ context: ChannelHandlerContext, isComplete: Bool = false) {
        let isHTTP10 = head.version.minor == 0
        let request: HTTPRequest
        switch head.request(upTo: options.headerLimit) {
        case .success(let read): request = read
        case .failure(let refusal):
            return refuse(refusal, isHTTP10: isHTTP10, isHead: head.method == .HEAD, context)
        }
        if isComplete,
            let response = responder.respondAtOnce(to: request, readFrom: head, receivedAt: headAt, on: client)
        {
            return send(response)
        }
        // The decoder reads nothing after a request that asks for an upgrade. Such a request is answered like any
        // other.
        let closes = !head.isKeepAlive || head.headers.contains(name: "Upgrade")
        state.begin(HTTP1ConnectionState.Request(closes: closes, isHTTP10: isHTTP10, isHead: head.method == .HEAD))
        client.beginRequest()
        fire(.head(request, head.version, at: headAt), context)
    }

    private func refuse(_ refusal: RequestRefusal, isHTTP10: Bool, isHead: Bool, _ context: ChannelHandlerContext) {
        state.refuse(isHTTP10: isHTTP10, isHead: isHead)
        client.beginRequest()
        fire(.refused(refusal, at: headAt), context)
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
        if let (head, _) = held {
            held = nil
            read(head, context)
        }
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
            fire(.refused(refusal, at: idle.lastActive), context)
        case .breakContent: fire(.broken(refusal), context)
        case .ignore(let action): follow(action, context)
        }
    }

    private func fire(_ part: ClientPart, _ context: ChannelHandlerContext) {
        context.fireChannelRead(wrapInboundOut(part))
    }

    // MARK: - Responses that are sent at once

    /// True if every request is answered, another one may follow, and the client reads its responses. A client that
    /// does not is left to the task of the connection, which waits for it.
    private var isReadyToAnswer: Bool {
        state.isIdle && encoder != nil && client.channel.isWritable && !options.drain.isDraining
    }

    /// Holds the head of a request until its end is read, if the response can be sent then.
    /// - Returns: False if the head is to be read now.
    private func hold(_ head: HTTPRequestHead) -> Bool {
        guard isReadyToAnswer else { return false }
        let known = responder.knownResponse(to: head, on: client)
        // A head that equals one without content has none.
        guard known != nil || head.mayBeAnsweredAtOnce else { return false }
        held = (head, known)
        return true
    }

    /// Answers a request that has the same bytes as an earlier one.
    /// - Returns: False if the request is to be decoded.
    private func answerAgain(_ request: RepeatedRequest) -> Bool {
        guard case .open = phase, isReadyToAnswer else { return false }
        idle.touch()
        let receivedAt = idle.lastActive
        guard let response = responder.repeat(request.known, to: request.head, receivedAt: receivedAt, on: client)
        else { return false }
        send(response)
        return true
    }

    private func send(_ answer: ImmediateResponse<EncodedResponse>) {
        guard let encoder else { preconditionFailure("Responses are sent at once only if there is an encoder") }
        state.answerAtOnce()
        isFlushDue = true
        encoder.write(NIOAny(IOData.byteBuffer(answer.response.bytes)), promise: nil)
        let now = NIODeadline.now()
        client.noteAnswered(at: now)
        guard let rest = answer.response.rest else { return responder.complete(answer.record, at: now) }
        encoder.write(NIOAny(IOData.byteBuffer(rest.body)), promise: nil)
        var answer = answer
        answer.record.beganAt = now
        unsent.append(answer)
    }

    /// Completes the records of responses that the socket has taken, or that are lost with it.
    private func completeUnsent() {
        guard !unsent.isEmpty else { return }
        let now = NIODeadline.now()
        for answer in unsent { responder.complete(answer.record, at: now) }
        unsent.removeAll(keepingCapacity: true)
    }

    /// Flushes the responses that were sent at once. While the socket has not taken all of them, they count as under
    /// way, and their memory is held.
    private func flushResponses(_ context: ChannelHandlerContext) {
        isFlushDue = false
        context.flush()
        guard let encoder, (slowReader?.unsentBytes ?? context.channel.bufferedBytes) > 0 else {
            return completeUnsent()
        }
        let records = unsent.map(\.record)
        let holders = unsent.compactMap { responder.holder(of: $0.response, on: client) }
        unsent.removeAll(keepingCapacity: true)
        state.beginSending()
        client.beginRequest()
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            withExtendedLifetime(holders) {}
            let now = NIODeadline.now()
            for record in records { self.responder.complete(record, at: now) }
            self.client.endRequests()
            self.follow(self.state.endSending(), context)
            self.watchIdleness(context)
            if self.options.drain.isListenerClosed { self.endWhenIdle(context) }
        }
        encoder.writeAndFlush(NIOAny(IOData.byteBuffer(ByteBuffer())), promise: sent)
    }

    // MARK: - Responses

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): write(head, promise, context)
        case .body(let part):
            guard !dropsBody else {
                promise?.succeed()
                return
            }
            sending?.record?.add(part)
            context.write(wrapOutboundOut(.body(.byteBuffer(part))), promise: promise)
        case .end:
            // The encoder writes a last chunk if there is no length, and does not know that the request was HEAD: the
            // client would take the chunk for the beginning of the next response.
            let promise = sending?.ending(promise, on: context.eventLoop) ?? promise
            sending = nil
            if dropsBody { promise?.succeed() } else { context.write(wrapOutboundOut(.end(nil)), promise: promise) }
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
        sending = presence.takeResponse()
        sending?.record?.begin()
        let hasKnownEnd =
            response.status == .noContent || response.status == .notModified
            || response.headerFields.contains(.contentLength)
        let isDraining = options.drain.isDraining
        guard let framing = state.beginResponse(hasKnownEnd: hasKnownEnd, isDraining: isDraining) else {
            dropsBody = true
            promise?.succeed()
            return
        }
        dropsBody = framing.dropsBody
        context.write(wrapOutboundOut(.head(HTTPResponseHead(response, in: framing))), promise: promise)
    }

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
}
