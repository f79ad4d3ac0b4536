import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTP2

/// What is known of one request on its way to an origin: whether it was sent, whether its connection had carried
/// another one before, and whether the origin has sent anything since.
///
/// A server may close an idle connection in the very moment in which a request is sent on it. Then, and only then, was
/// the request not seen, as far as one can know, and may be sent again (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
final class Attempt: Sendable {
    private enum State {
        /// It has not left: its connection was closed before.
        case waiting
        case sent(isReused: Bool)
        case answered
    }

    private let state = NIOLockedValueBox(State.waiting)
    private let connection = NIOLockedValueBox<(any EventLoop)?>(nil)
    private let sending = AsyncStream.makeStream(of: Never.self)

    /// Whether the request, which failed, may not have been seen by the origin.
    var mayHaveMissed: Bool {
        switch state.withLockedValue({ $0 }) {
        case .waiting: true
        case .sent(let isReused): isReused
        case .answered: false
        }
    }

    /// True if the request left by a connection, so that the origin may have acted on it.
    var wasSent: Bool {
        if case .waiting = state.withLockedValue({ $0 }) { false } else { true }
    }

    /// The request leaves by a connection.
    func send(isReused: Bool, on loop: any EventLoop) {
        state.withLockedValue { $0 = .sent(isReused: isReused) }
        connection.withLockedValue { $0 = loop }
    }

    /// The event loop of that connection, once there is one.
    var loop: (any EventLoop)? { connection.withLockedValue { $0 } }

    /// The content is given to the connection.
    func finish() { sending.continuation.finish() }

    /// Returns when that has happened.
    func finished() async {
        for await _ in sending.stream {}
    }

    func answer() { state.withLockedValue { $0 = .answered } }
}

/// The attempts under way.
///
/// The client library does not say which connection a request takes, and it takes targets apart and sends what it made
/// of them: of `/caf%E9` it makes `/`, of `/|` `/%7C`. So each attempt is marked by a field that never leaves this
/// process: a handler on the connection takes it off again, puts the target in its place, and notes what it sees.
final class AttemptBook: Sendable {
    private struct State {
        var attempts: [String: Attempt] = [:]
        var last: UInt64 = 0
    }

    /// The name of the marking field, which no client can guess.
    let fieldName = "x-larder-attempt-" + String(UInt64.random(in: .min ... .max), radix: 36)
    private let state = NIOLockedValueBox(State())

    /// Runs one attempt; its mark is to be sent as the value of the field.
    /// - Parameter target: what the origin is asked for, byte for byte.
    func attempt<Value>(
        for target: String,
        _ body: (Attempt, _ mark: String) async throws -> Value
    ) async rethrows -> Value {
        let attempt = Attempt()
        let id = state.withLockedValue { state in
            state.last &+= 1
            let id = String(state.last, radix: 36)
            state.attempts[id] = attempt
            return id
        }
        defer { state.withLockedValue { $0.attempts[id] = nil } }
        return try await body(attempt, id + " " + target)
    }

    /// Takes the mark off a request, and puts its target in place.
    /// - Returns: the attempt that it is, if that is not over.
    func unmark(_ head: inout HTTPRequestHead) -> Attempt? {
        guard let mark = head.headers.first(name: fieldName), let space = mark.firstIndex(of: " ") else { return nil }
        head.headers.remove(name: fieldName)
        head.uri = String(mark[mark.index(after: space)...])
        return state.withLockedValue { $0.attempts[String(mark[..<space])] }
    }

    /// Has a new HTTP/1.1 connection note its attempts.
    func watch(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let messages = MessageWatch(book: self, isOnConnection: true)
            let encoder = try pipeline.handler(type: HTTPRequestEncoder.self)
            // Bytes pass before the decoder reads them: an answer has begun with the first of them.
            try pipeline.addHandler(ByteWatch(messages: messages), position: .before(encoder))
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            try pipeline.addHandler(messages, position: .after(decoder))
        }
    }

    /// Has a new HTTP/2 stream take its mark off. Nothing is sent twice there: the protocol itself says which requests
    /// were not seen (RFC 9113 §6.8), and the client library heeds it.
    func watchStream(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP2FramePayloadToHTTP1ClientCodec.self)
            try pipeline.addHandler(MessageWatch(book: self, isOnConnection: false), position: .after(codec))
        }
    }
}

/// A record of whether a request was sent to its origin, in any of its attempts: an error alone does not tell.
final class SendingRecord: Sendable {
    private let wasSentOnce = NIOLockedValueBox(false)

    /// True if any attempt left by a connection.
    var wasSent: Bool { wasSentOnce.withLockedValue { $0 } }

    /// Notes what became of an attempt that is over.
    func note(_ attempt: Attempt) {
        if attempt.wasSent { wasSentOnce.withLockedValue { $0 = true } }
    }
}
