import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// Stands right behind the HTTP/1.1 decoder and lets pass only what has one reading (RFC 9112 §11.2): a gateway that
/// reads a message otherwise than the origin behind it lets a client smuggle a request past it.
///
/// What is refused goes on as a parser's error, so that it is answered with a 400 in its turn, after the answers to
/// what came before it on the connection; nothing after it is read.
final class MessageGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private var hasRefused = false
    /// Whether more of a request's content is to come.
    private var isInContent = false
    /// Whether what is written of an answer goes no further.
    private var isDropping = false
    /// The requests that are not answered yet, the oldest first.
    private var pending: [Expectation] = []

    /// What a client expects of an answer.
    private struct Expectation {
        /// The connection ends after it.
        let closes: Bool
        /// The client speaks HTTP/1.0.
        let isOld: Bool
        /// It ends with its head.
        let isHead: Bool
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasRefused else { return }
        guard case .head(var head) = unwrapInboundIn(data) else {
            if case .end = unwrapInboundIn(data) { isInContent = false }
            return context.fireChannelRead(data)
        }
        if let error = Self.settle(&head) {
            hasRefused = true
            context.fireErrorCaught(error)
            return
        }
        // "A proxy server MUST NOT maintain a persistent connection with an HTTP/1.0 client" (RFC 9112 §9.3). And the
        // decoder reads nothing after a request that would upgrade the connection, which is answered as any other.
        let isOld = head.version.minor == 0
        let closes = isOld || !head.isKeepAlive || head.headers.contains(name: "Upgrade")
        if closes { head.close() }
        pending.append(Expectation(closes: closes, isOld: isOld, isHead: head.method == .HEAD))
        isInContent = true
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data) else {
            return isDropping ? succeed(promise) : context.write(data, promise: promise)
        }
        guard head.status.code >= 200, !pending.isEmpty else {
            // Content that turns out malformed when its request is answered already is not answered once more.
            isDropping = pending.isEmpty && isInContent
            return isDropping ? succeed(promise) : context.write(data, promise: promise)
        }
        let expected = pending.removeFirst()
        // The encoder writes a last chunk where there is no length, and does not know that HEAD was asked for: the
        // client would take it for the beginning of the next answer.
        isDropping = expected.isHead
        // "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request indicates
        // HTTP/1.1 (or later minor revisions)" (RFC 9112 §6.1): the encoder goes by the version.
        if expected.isOld { head.version = .http1_0 }
        // "A server that does not support persistent connections MUST send the "close" connection option in every
        // response message that does not have a 1xx (Informational) status code" (§9.3), and who ends one may as well.
        if expected.closes { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    private func succeed(_ promise: EventLoopPromise<Void>?) { promise?.succeed() }
}

extension MessageGuard {
    /// Brings a head to the one form that all that follows relies on: a path as target, one `Host`, one framing.
    /// - Returns: why it is refused, where it is.
    static func settle(_ head: inout HTTPRequestHead) -> HTTPParserError? {
        guard head.version.major == 1 else { return .invalidVersion }
        if let error = settleTarget(&head) { return error }
        return settleFraming(&head)
    }

    private static func settleTarget(_ head: inout HTTPRequestHead) -> HTTPParserError? {
        let hosts = head.headers["Host"]
        // "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host
        // header field and to any request message that contains more than one Host header field line or a Host header
        // field with an invalid field value." (RFC 9112 §3.2)
        guard hosts.count <= 1, hosts.count == 1 || head.version.minor == 0 else { return .invalidHeaderToken }
        if let host = hosts.first, !isHost(host) { return .invalidHeaderToken }
        if head.uri.utf8.first != UInt8(ascii: "/") {
            guard let target = AbsoluteTarget(head.uri) else { return .invalidURL }
            guard isHost(target.authority) else { return .invalidHeaderToken }
            // "When an origin server receives a request with an absolute-form of request-target, the origin server MUST
            // ignore the received Host header field (if any) and instead use the host information of the
            // request-target." (§3.2.2)
            head.uri = target.path
            head.headers.replaceOrAdd(name: "Host", value: target.authority)
        } else if hosts.isEmpty {
            // HTTP/1.0 without a host: there is no telling what site is meant.
            return .invalidHeaderToken
        }
        // "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that expectation."
        // (RFC 9110 §10.1.1)
        if head.version.minor == 0 { head.headers.remove(name: "Expect") }
        // The parser's name for it has lost a hyphen.
        if head.method == .MSEARCH { head.method = .RAW(value: "M-SEARCH") }
        return nil
    }

    private static func settleFraming(_ head: inout HTTPRequestHead) -> HTTPParserError? {
        let (lengths, encodings) = (head.headers["Content-Length"], head.headers["Transfer-Encoding"])
        if !encodings.isEmpty {
            // "A server MAY reject a request that contains both Content-Length and Transfer-Encoding", and "a server
            // that receives a request message with a transfer coding it does not understand SHOULD respond with 501";
            // HTTP/1.0 knows none of them (RFC 9112 §6.1). There is one that everybody understands alike.
            guard lengths.isEmpty, encodings.count == 1, encodings[0].lowercased() == "chunked",
                head.version.minor > 0
            else { return .unexpectedContentLength }
            return nil
        }
        guard let length = lengths.first else {
            // A request without either has no content; said aloud, it need not be guessed again.
            switch head.method {
            case .GET, .HEAD, .DELETE, .OPTIONS, .TRACE: break
            default: head.headers.add(name: "Content-Length", value: "0")
            }
            return nil
        }
        guard lengths.count == 1, !length.isEmpty, length.utf8.count <= 18,
            length.utf8.allSatisfy(isDigit)
        else { return .invalidContentLength }
        return nil
    }

    /// Whether a text may be a host with an optional port (RFC 9110 §7.2, RFC 3986 §3.2.2).
    static func isHost(_ text: String) -> Bool {
        guard text.utf8.count <= 1_024 else { return false }
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "[") {
            let address = rest.dropFirst().prefix { isNameByte($0) || $0 == UInt8(ascii: ":") }
            rest = rest[address.endIndex...]
            guard !address.isEmpty, rest.popFirst() == UInt8(ascii: "]") else { return false }
        } else {
            let name = rest.prefix(while: isNameByte)
            rest = rest[name.endIndex...]
            guard !name.isEmpty else { return false }
        }
        guard let colon = rest.popFirst() else { return true }
        return colon == UInt8(ascii: ":") && rest.count <= 5 && rest.allSatisfy(isDigit)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: isDigit(byte) || "-._~%!$&'()*+;=".utf8.contains(byte)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

extension HTTPRequestHead {
    /// Has Hummingbird end the connection after the answer, which it does where the request says so in this one
    /// spelling; what else the field names is the connection's own, and goes with it. What frames the content stays,
    /// and what tells of the way of the request: nobody comes to the admin routes by naming it.
    fileprivate mutating func close() {
        let options = headers[canonicalForm: "Connection"].compactMap { HTTPField.Name(String($0)) }
        for name in options where !Self.isKept(name) { headers.remove(name: name.canonicalName) }
        headers.replaceOrAdd(name: "Connection", value: "close")
    }

    private static func isKept(_ name: HTTPField.Name) -> Bool {
        switch name.canonicalName {
        case "host", "content-length", "transfer-encoding", "via": true
        default: ForwardedFields.owns(name)
        }
    }
}

/// A target in absolute form, taken apart (RFC 9112 §3.2.2).
private struct AbsoluteTarget {
    let authority: String
    let path: String

    init?(_ text: String) {
        let lower = text.prefix(8).lowercased()
        guard let scheme = ["http://", "https://"].first(where: lower.hasPrefix) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        authority = String(rest[..<end])
        let tail = rest[end...]
        // "If the target URI's path component is empty, the client MUST send "/" as the path."
        path = tail.first == "/" ? String(tail) : "/" + tail
    }
}

/// Puts a ``MessageGuard`` behind the decoder of an HTTP/1.1 connection; over HTTP/2 there is nothing to guard, whose
/// frames leave no doubt about where a message ends.
final class GuardInstaller: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Any

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        if let codec = try? pipeline.handler(type: HTTP1ToHTTPServerCodec.self) {
            do {
                try pipeline.addHandler(MessageGuard(), position: .before(codec))
            } catch {
                context.close(promise: nil)
            }
        }
        pipeline.removeHandler(context: context, promise: nil)
    }
}
