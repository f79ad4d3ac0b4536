import NIOCore
import NIOHTTP1

// Both stand on a connection to an origin, around the client library's decoder.
//
// "If a client receives data on a connection that does not have outstanding requests, the client MUST NOT consider that
// data to be a valid response; the client SHOULD close the connection, since message delimitation is now ambiguous"
// (RFC 9112 §9.2). The decoder keeps what follows an answer, and takes it for the beginning of the next one: whoever
// gets an origin to write more than it declares would choose what the next client gets. So what one read brings is held
// until it is known to end with the answer. What comes too late for that, when the next request has been sent, no
// client can tell from its answer.

/// Sees the bytes of an origin before they are decoded.
final class ByteWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let emptyLine = ByteBuffer(string: "\r\n\r\n")
    private let messages: MessageWatch

    init(messages: MessageWatch) { self.messages = messages }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard messages.isAwaited || isBlank(unwrapInboundIn(data)) else { return context.close(promise: nil) }
        messages.beginRead()
        context.fireChannelRead(data)
        // An empty line is nothing between two answers, and ends a head that has begun, which nobody asked for.
        if messages.hasEnded { context.fireChannelRead(wrapInboundOut(Self.emptyLine)) }
        messages.endRead()
    }

    /// "… unless the data consists only of one or more CRLF (which can be discarded per Section 2.2)."
    private func isBlank(_ bytes: ByteBuffer) -> Bool {
        bytes.readableBytesView.allSatisfy { $0 == 0x0D || $0 == 0x0A }
    }
}

/// Takes the mark off a request as it leaves, and sees that its answer is all that comes back.
final class MessageWatch: ChannelDuplexHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart

    /// Whether a request has been sent whose answer is not complete.
    private(set) var isAwaited = false
    private let book: AttemptBook
    private var hasCarried = false
    private var attempt: Attempt?
    private var context: ChannelHandlerContext?
    private var isReading = false
    /// What the bytes that are being read have brought so far.
    private var held: [HTTPClientResponsePart] = []
    private var isForHead = false
    private var hasExcess = false

    init(book: AttemptBook) { self.book = book }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        attempt = book.unmark(&head)
        attempt?.send(isReused: hasCarried, on: context.eventLoop)
        hasCarried = true
        isAwaited = true
        isForHead = head.method == .HEAD
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        // The client library takes this for one more informational head, and ends the process at the end of the answer.
        if case .head(let head) = part, head.status.code < 100 {
            return errorCaught(context: context, error: UpstreamError(.protocolError, "status \(head.status.code)"))
        }
        guard isReading else { return pass(part, context) }
        held.append(part)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !hasEnded else { return hasExcess = true }
        // The head of an answer that breaks off at once is not worth passing: there can be another one in its place.
        held.removeAll()
        context.fireErrorCaught(error)
    }

    /// Whether the bytes that are being read have brought the end of an answer.
    var hasEnded: Bool {
        if case .end = held.last { true } else { false }
    }

    func beginRead() {
        attempt?.answer()
        attempt = nil
        isReading = true
    }

    func endRead() {
        isReading = false
        var parts = held
        held.removeAll(keepingCapacity: true)
        guard let context else { return }
        if hasExcess {
            guard case .head(var head) = parts.dropLast().last, isForHead || [204, 304].contains(head.status.code)
            else {
                // It does not know what its content is, so what it declared may be a part only.
                return context.fireErrorCaught(UpstreamError(.protocolError, "more than the answer declares"))
            }
            // An answer that has no content in any case ends with its head, whatever the origin sends behind it.
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            parts = [.head(head), .end(nil)]
        }
        for part in parts { pass(part, context) }
    }

    private func pass(_ part: HTTPClientResponsePart, _ context: ChannelHandlerContext) {
        // The connection may carry the next request before this call returns.
        if case .end = part { isAwaited = false }
        context.fireChannelRead(wrapInboundOut(part))
    }
}
