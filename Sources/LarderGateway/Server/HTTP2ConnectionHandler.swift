import HTTPTypes
import NIOCore
import NIOHTTP2

/// A channel handler between an HTTP/2 connection and NIO's connection management handler that ends the connection
/// without losing a request.
///
/// A connection ends gracefully in two steps (RFC 9113 §6.8). A GOAWAY with the highest stream ID asks the client to
/// open no more streams. When the client has answered a PING, and so must have read it, another GOAWAY names the last
/// stream. NIO refuses every new stream after its first GOAWAY, including streams that the client opened before it read
/// that. So ``ShutdownNotice`` writes the first step without NIO, and NIO begins when the client has answered.
final class HTTP2ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame
    typealias OutboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private enum Phase: Equatable {
        case open
        /// The client was asked to open no more streams. It may not have read that.
        case announced(HTTP2PingData)
        /// No more streams are accepted.
        case quiescing
    }

    private let options: HTTPOptions
    private let notice: ShutdownNotice
    private let onMalformedRequest: () -> Void
    private var phase = Phase.open
    private var openStreams = 0
    private var end: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    /// Creates a handler.
    /// - Parameter onMalformedRequest: Called when a client sent a request that is refused without a response.
    init(_ options: HTTPOptions, _ notice: ShutdownNotice, onMalformedRequest: @escaping () -> Void) {
        self.options = options
        self.notice = notice
        self.onMalformedRequest = onMalformedRequest
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        end?.cancel()
        self.context = nil
    }

    /// Starts the timers of the next handler, which waits for the channel to become active.
    func begin() {
        guard let context, context.channel.isActive else { return }
        context.fireChannelActive()
        guard options.drain.isListenerClosed else { return }
        // The first request of a client that has just connected is on its way.
        context.eventLoop.assumeIsolated().scheduleTask(in: HTTPOptions.firstRequestTime) { self.endSoon() }
    }

    /// Notes a new stream.
    func streamCreated() {
        openStreams += 1
        // A client that connects while the gateway drains has its requests answered, and opens no further connection.
        if options.drain.isDraining { announceEnd() }
    }

    /// Notes the end of a stream.
    func streamClosed() { openStreams -= 1 }

    // MARK: - The end of the connection

    /// Asks the client to open no more streams.
    private func announceEnd() {
        guard phase == .open else { return }
        let data = HTTP2PingData(withInteger: .random(in: .min ... .max))
        phase = .announced(data)
        notice.send(data)
    }

    /// Accepts no more streams once the client has answered, or after ``HTTPOptions/farewellTime``: no further
    /// connection is accepted.
    private func endSoon() {
        announceEnd()
        context?.eventLoop.assumeIsolated().scheduleTask(in: HTTPOptions.farewellTime) { self.quiesce() }
    }

    /// Accepts no more streams.
    private func quiesce() {
        guard case .announced = phase, let context else { return }
        phase = .quiescing
        context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .ping(let data, ack: true) = unwrapInboundIn(data).payload, phase == .announced(data) { quiesce() }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if end == nil, case .goAway = unwrapOutboundIn(data).payload { endWhenUnused() }
        context.write(data, promise: promise)
    }

    /// Closes the connection when it has no streams, some time after NIO has written GOAWAY, because a client may never
    /// answer the PING for which NIO waits.
    private func endWhenUnused() {
        guard let context else { return }
        end = context.eventLoop.assumeIsolated().scheduleTask(in: HTTPOptions.farewellTime) {
            if self.openStreams > 0 { self.endWhenUnused() } else { context.close(promise: nil) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case DrainEvent.began: announceEnd()
        case DrainEvent.listenerClosed: endSoon()
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    /// Ends the connection, unless the error concerns one stream, which NIO has reset: the other streams may serve
    /// other clients of a proxy.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error.isMalformedHTTP2Head { return onMalformedRequest() }
        if !error.isOfHTTP2Stream { context.close(promise: nil) }
    }
}

extension Error {
    /// True if a request's fields are malformed (RFC 9113 §8.1.1), so that NIO has reset the stream.
    fileprivate var isMalformedHTTP2Head: Bool {
        switch self {
        case is NIOHTTP2Errors.ForbiddenHeaderField, is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName,
            is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue, is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader,
            is NIOHTTP2Errors.UnknownPseudoHeader, is NIOHTTP2Errors.UnsupportedPseudoHeader,
            is NIOHTTP2Errors.DuplicatePseudoHeader, is NIOHTTP2Errors.InvalidPseudoHeaders,
            is NIOHTTP2Errors.InvalidPseudoHeaderValue, is NIOHTTP2Errors.EmptyPathHeader,
            is NIOHTTP2Errors.ContentLengthHeadersMismatch, is NIOHTTP2Errors.ContentLengthHeaderNegative,
            is NIOHTTP2Errors.ContentLengthHeaderMalformedValue:
            true
        default: false
        }
    }

    /// True if an error ends one stream, which NIO has reset, and not the connection.
    fileprivate var isOfHTTP2Stream: Bool {
        self is NIOHTTP2Errors.StreamError || self is NIOHTTP2Errors.ContentLengthViolated
            || self is NIOHTTP2Errors.TrailersWithoutEndStream
    }
}

/// A delegate that reports an HTTP/2 connection's streams to its handlers.
struct HTTP2StreamDelegate: NIOHTTP2StreamDelegate {
    let connection: NIOLoopBound<HTTP2ConnectionHandler>
    let manager: NIOHTTP2ServerConnectionManagementHandler.HTTP2StreamDelegate

    func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {
        manager.streamCreated(id, channel: channel)
        connection.value.streamCreated()
    }

    func streamClosed(_ id: HTTP2StreamID, channel: any Channel) {
        manager.streamClosed(id, channel: channel)
        connection.value.streamClosed()
    }
}

/// A channel handler below NIO's HTTP/2 handler that writes the frames that ask a client to open no more streams (RFC
/// 9113 §6.8).
final class ShutdownNotice: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Writes a GOAWAY that ends no stream, and a PING, which the client answers when it has read both.
    func send(_ data: HTTP2PingData) {
        // Length, type, flags, stream; then the highest stream ID and NO_ERROR (§6.8, §6.7).
        var frames = ByteBuffer(bytes: [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
        frames.writeBytes([0, 0, 8, 6, 0, 0, 0, 0, 0])
        frames.writeInteger(data.integer)
        context?.writeAndFlush(wrapOutboundOut(frames), promise: nil)
    }
}
