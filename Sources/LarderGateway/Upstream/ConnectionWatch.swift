import NIOCore
import NIOHTTP1

// Both handlers are on a connection to an origin, before and after the client library's decoder.
//
// "If a client receives data on a connection that does not have outstanding requests, the client MUST NOT consider that
// data to be a valid response; the client SHOULD close the connection, since message delimitation is now ambiguous"
// (RFC 9112 §9.2). The decoder stores bytes that follow a response, and takes them for the beginning of the next one: a
// client that makes an origin write more than it declares could choose the response to the next client. So the parts of
// one read are held until the read is known to end with the response. Excess bytes that are received only after the
// next request was sent cannot be distinguished from its response.

/// A channel handler that sees the bytes of an origin before they are decoded.
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
        // An empty line is ignored between two responses, and completes the head of an excess response that has begun.
        if messages.hasEnded { context.fireChannelRead(wrapInboundOut(Self.emptyLine)) }
        messages.endRead()
    }

    /// Returns true if bytes are only line breaks. The rule for excess data has this exception: "[…] unless the data
    /// consists only of one or more CRLF (which can be discarded per Section 2.2)" (RFC 9112 §9.2).
    private func isBlank(_ bytes: ByteBuffer) -> Bool {
        bytes.readableBytesView.allSatisfy { $0 == 0x0D || $0 == 0x0A }
    }
}

/// A channel handler that removes the mark from a request when it is sent, and checks that nothing but its response is
/// received.
///
/// A server that ignores a request's content (a "CL.0" fault) takes it for the next request, and answers it when
/// another request is under way. So a connection is not used again if the server may not have read the content
/// (``ContentUse``).
final class MessageWatch: ChannelDuplexHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart

    /// True if a request was sent whose response is not complete.
    private(set) var isAwaited = false
    private let attempts: AttemptTable
    private var hasCarried = false
    private var attempt: Attempt?
    private var context: ChannelHandlerContext?
    private var isReading = false
    /// The parts that the current read has brought so far.
    private var held: [HTTPClientResponsePart] = []
    private var isForHead = false
    private var hasExcess = false
    private var content = ContentUse()
    /// True for a connection, and false for a stream, which carries one request in any case.
    private let isOnConnection: Bool

    init(attempts: AttemptTable, isOnConnection: Bool) {
        (self.attempts, self.isOnConnection) = (attempts, isOnConnection)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data) else {
            if case .end = unwrapOutboundIn(data) { content.isSent = true }
            return context.write(data, promise: promise)
        }
        attempt = attempts.unmark(&head)
        attempt?.send(isReused: hasCarried, on: context.eventLoop)
        hasCarried = true
        isAwaited = true
        isForHead = head.method == .HEAD
        if isOnConnection { content = ContentUse(of: head) }
        // "[…] the sender is going to close the connection": a server that obeys this reads no further request.
        if !content.isExpected { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        // The client library takes such a head for another informational one, and ends the process at the end of the
        // response.
        if case .head(let head) = part, head.status.code < 100 {
            return errorCaught(
                context: context,
                error: UpstreamError(.protocolError, "invalid status \(head.status.code)")
            )
        }
        guard isReading else { return pass(part, context) }
        held.append(part)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !hasEnded else { return hasExcess = true }
        // The head of a response that breaks off at once is dropped, so that another response can take its place.
        held.removeAll()
        context.fireErrorCaught(error)
    }

    /// True if the current read has brought the end of a response.
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
                // The origin's declared length is wrong, so the content that it declared may be incomplete.
                return context.fireErrorCaught(UpstreamError(.protocolError, "the response is longer than it declares"))
            }
            // A response that never has content ends with its head, whatever the origin sends after it.
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

/// The content of a request, and the server's use of it as far as it is known.
private struct ContentUse {
    /// True if the server must read the content: the request has none, or its method gives it a meaning.
    private(set) var isExpected = true
    /// True if all of the content was sent.
    var isSent = false
    private var isPresent = false

    init() {}

    init(of head: HTTPRequestHead) {
        isPresent =
            head.headers.contains(name: "Transfer-Encoding")
            || head.headers["Content-Length"].contains { $0 != "0" }
        guard isPresent else { return }
        // "Although request message framing is independent of the method used, content received in a GET request has no
        // generally defined semantics […], and might lead some implementations to reject the request and close the
        // connection because of its potential as a request smuggling attack" (RFC 9110 §9.3.1; the same in §9.3.2,
        // §9.3.5 and §9.3.7). The same may be true of methods that are not known here.
        isExpected = [.POST, .PUT, .PATCH].contains(head.method)
    }

    /// Returns true if the connection can carry another request after a response with the given status.
    func mayReuse(after status: HTTPResponseStatus) -> Bool {
        guard isPresent else { return true }
        // A server that responds with a redirect or an error, or before it has all content, may have read the head
        // only.
        return isExpected && isSent && (200..<300).contains(status.code)
    }
}
