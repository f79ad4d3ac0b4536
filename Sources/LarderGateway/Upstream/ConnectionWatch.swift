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
///
/// A server that ignores a request's content (a "CL.0" fault) takes it for the next request, and answers it when some
/// other request is under way. So a connection whose content the server may not have read is not used again
/// (``ContentUse``).
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
    private var content = ContentUse()
    /// True if what ends is a connection, rather than a stream that carries one request in any case.
    private let isOnConnection: Bool

    init(book: AttemptBook, isOnConnection: Bool) { (self.book, self.isOnConnection) = (book, isOnConnection) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data) else {
            if case .end = unwrapOutboundIn(data) { content.isSent = true }
            return context.write(data, promise: promise)
        }
        attempt = book.unmark(&head)
        attempt?.send(isReused: hasCarried, on: context.eventLoop)
        hasCarried = true
        isAwaited = true
        isForHead = head.method == .HEAD
        if isOnConnection { content = ContentUse(of: head) }
        // "[…] the sender is going to close the connection": a server that heeds it reads no further request.
        if !content.isExpected { head.headers.replaceOrAdd(name: "Connection", value: "close") }
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
        var part = part
        if case .head(var head) = part, head.status.code >= 200, !content.mayReuse(after: head.status) {
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            part = .head(head)
        }
        // The connection may carry the next request before this call returns.
        if case .end = part { isAwaited = false }
        context.fireChannelRead(wrapInboundOut(part))
    }
}

/// A request's content, and what is known of its use by the server.
private struct ContentUse {
    /// True if the server has to read content: it has none, or its method gives it a meaning.
    private(set) var isExpected = true
    /// True if all of it has left.
    var isSent = false
    private var isThere = false

    init() {}

    init(of head: HTTPRequestHead) {
        isThere =
            head.headers.contains(name: "Transfer-Encoding")
            || head.headers["Content-Length"].contains { $0 != "0" }
        guard isThere else { return }
        // "Although request message framing is independent of the method used, content received in a GET request has no
        // generally defined semantics […], and might lead some implementations to reject the request and close the
        // connection because of its potential as a request smuggling attack" (RFC 9110 §9.3.1; the same in §9.3.2,
        // §9.3.5 and §9.3.7). The same may be true of methods that are not known here.
        isExpected = [.POST, .PUT, .PATCH].contains(head.method)
    }

    /// Returns true if the connection can carry another request after a response with a status.
    func mayReuse(after status: HTTPResponseStatus) -> Bool {
        guard isThere else { return true }
        // What answers with a redirect or an error, or before it has everything, may have looked at the head alone.
        return isExpected && isSent && (200..<300).contains(status.code)
    }
}
