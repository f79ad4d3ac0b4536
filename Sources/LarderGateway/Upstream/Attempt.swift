import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTP2

/// The state of one attempt to send a request to an origin: if the request was sent, if its connection had carried
/// another request before, and if the origin has sent anything since.
///
/// A server may close an idle connection at the moment at which a request is sent on it. Only then can a client assume
/// that the server has not received the request, and send it again (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
final class Attempt: Sendable {
    private enum State {
        /// The request was not sent: its connection was closed before.
        case waiting
        case sent(isReused: Bool)
        case answered
    }

    private let state = NIOLockedValueBox(State.waiting)
    private let connection = NIOLockedValueBox<(any EventLoop)?>(nil)
    private let sending = AsyncStream.makeStream(of: Never.self)

    /// True if the request, which failed, may not have been seen by the origin.
    var mayNotHaveArrived: Bool {
        switch state.withLockedValue({ $0 }) {
        case .waiting: true
        case .sent(let isReused): isReused
        case .answered: false
        }
    }

    /// True if the request was sent on a connection, so that the origin may have acted on it.
    var wasSent: Bool {
        if case .waiting = state.withLockedValue({ $0 }) { false } else { true }
    }

    /// Notes that the request is sent on a connection.
    func send(isReused: Bool, on loop: any EventLoop) {
        state.withLockedValue { $0 = .sent(isReused: isReused) }
        connection.withLockedValue { $0 = loop }
    }

    /// The event loop of the attempt's connection; nil if there is none yet.
    var loop: (any EventLoop)? { connection.withLockedValue { $0 } }

    /// Notes that all content is given to the connection.
    func finish() { sending.continuation.finish() }

    /// Waits until all content is given to the connection.
    func finished() async {
        for await _ in sending.stream {}
    }

    func answer() { state.withLockedValue { $0 = .answered } }
}

/// The attempts under way.
///
/// The client library does not show which connection a request takes. It also parses targets and changes them: it makes
/// `/` of `/caf%E9`, and `/%7C` of `/|`. So each attempt is marked by a field that never leaves this process: a handler
/// on the connection removes the field, restores the target, and notes the progress of the attempt.
final class AttemptTable: Sendable {
    private struct State {
        var attempts: [String: Attempt] = [:]
        var last: UInt64 = 0
    }

    /// The name of the marking field, which clients cannot guess.
    let fieldName = "x-larder-attempt-" + String(UInt64.random(in: .min ... .max), radix: 36)
    private let state = NIOLockedValueBox(State())

    /// Runs one attempt. Its mark must be sent as the value of the marking field.
    /// - Parameter target: The request target, which is sent to the origin byte for byte.
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

    /// Removes the mark from a request, and restores its target.
    /// - Returns: The attempt; nil if it has ended.
    func unmark(_ head: inout HTTPRequestHead) -> Attempt? {
        guard let mark = head.headers.first(name: fieldName), let space = mark.firstIndex(of: " ") else { return nil }
        head.headers.remove(name: fieldName)
        head.uri = String(mark[mark.index(after: space)...])
        return state.withLockedValue { $0.attempts[String(mark[..<space])] }
    }

    /// Adds the handlers that note attempts to a new HTTP/1.1 connection.
    func watch(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let messages = MessageWatch(attempts: self, isOnConnection: true)
            let encoder = try pipeline.handler(type: HTTPRequestEncoder.self)
            // `ByteWatch` sees bytes before the decoder reads them: the first byte begins a response.
            try pipeline.addHandler(ByteWatch(messages: messages), position: .before(encoder))
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            try pipeline.addHandler(messages, position: .after(decoder))
        }
    }

    /// Adds the handler that removes the mark to a new HTTP/2 stream. Requests are not sent twice over HTTP/2: the
    /// protocol says which requests were not seen (RFC 9113 §6.8), and the client library acts on that.
    func watchStream(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP2FramePayloadToHTTP1ClientCodec.self)
            try pipeline.addHandler(MessageWatch(attempts: self, isOnConnection: false), position: .after(codec))
        }
    }
}

/// A record of whether any attempt to send a request reached a connection, which an error alone does not show.
final class SendingRecord: Sendable {
    private let wasSentOnce = NIOLockedValueBox(false)

    /// True if any attempt was sent on a connection.
    var wasSent: Bool { wasSentOnce.withLockedValue { $0 } }

    /// Notes the state of an attempt that has ended.
    func note(_ attempt: Attempt) {
        if attempt.wasSent { wasSentOnce.withLockedValue { $0 = true } }
    }
}
