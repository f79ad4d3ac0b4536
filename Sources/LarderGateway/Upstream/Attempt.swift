import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTP2

/// What is known of one request on its way to an origin: whether its connection had carried another one before, and
/// whether the origin has sent anything since.
///
/// A server may close an idle connection in the very moment in which a request is sent on it. Then, and only then, was
/// the request not seen, as far as one can know, and may be sent again (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
final class Attempt: Sendable {
    private struct State {
        var isReused = false
        var isAnswered = false
    }

    private let state = NIOLockedValueBox(State())

    /// Whether the request failed on a connection that another one had used before, before any byte of an answer.
    var mayHaveMissed: Bool { state.withLockedValue { $0.isReused && !$0.isAnswered } }

    fileprivate func begin(isReused: Bool) { state.withLockedValue { $0.isReused = isReused } }
    fileprivate func answer() { state.withLockedValue { $0.isAnswered = true } }
}

/// The attempts under way.
///
/// The client library does not say which connection a request takes. So each attempt is marked by a field that never
/// leaves this process: a handler on the connection takes it off again, and notes what it sees.
final class AttemptBook: Sendable {
    private struct State {
        var attempts: [String: Attempt] = [:]
        var last: UInt64 = 0
    }

    /// The name of the marking field, which no client can guess.
    let fieldName = "x-larder-attempt-" + String(UInt64.random(in: .min ... .max), radix: 36)
    private let state = NIOLockedValueBox(State())

    /// Runs one attempt; its mark is to be sent as the value of the field.
    func attempt<Value>(_ body: (Attempt, _ mark: String) async throws -> Value) async rethrows -> Value {
        let attempt = Attempt()
        let mark = state.withLockedValue { state in
            state.last &+= 1
            let mark = String(state.last, radix: 36)
            state.attempts[mark] = attempt
            return mark
        }
        defer { state.withLockedValue { $0.attempts[mark] = nil } }
        return try await body(attempt, mark)
    }

    fileprivate func attempt(marked mark: String) -> Attempt? {
        state.withLockedValue { $0.attempts[mark] }
    }

    /// Has a new HTTP/1.1 connection note its attempts.
    func watch(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let log = ConnectionLog(book: self)
            let encoder = try pipeline.handler(type: HTTPRequestEncoder.self)
            // Bytes pass before the decoder reads them: an answer has begun with the first of them.
            try pipeline.addHandler(ArrivalWatch(log: log), position: .before(encoder))
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            try pipeline.addHandler(DepartureWatch(log: log), position: .after(decoder))
        }
    }

    /// Has a new HTTP/2 stream take its mark off. Nothing is sent twice there: the protocol itself says which requests
    /// were not seen (RFC 9113 §6.8), and the client library heeds it.
    func watchStream(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP2FramePayloadToHTTP1ClientCodec.self)
            try pipeline.addHandler(DepartureWatch(log: ConnectionLog(book: self)), position: .after(codec))
        }
    }
}

/// The requests of one connection, noted on its event loop.
private final class ConnectionLog {
    let book: AttemptBook
    private var hasCarried = false
    private var current: Attempt?

    init(book: AttemptBook) { self.book = book }

    func depart(_ head: inout HTTPRequestHead) {
        let mark = head.headers.first(name: book.fieldName)
        head.headers.remove(name: book.fieldName)
        current = mark.flatMap(book.attempt(marked:))
        current?.begin(isReused: hasCarried)
        hasCarried = true
    }

    func arrive() {
        current?.answer()
        current = nil
    }
}

/// Sees the first byte of an answer.
private final class ArrivalWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let log: ConnectionLog

    init(log: ConnectionLog) { self.log = log }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        log.arrive()
        context.fireChannelRead(data)
    }
}

/// Takes the mark off a request as it leaves.
private final class DepartureWatch: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    private let log: ConnectionLog

    init(log: ConnectionLog) { self.log = log }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        log.depart(&head)
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}
