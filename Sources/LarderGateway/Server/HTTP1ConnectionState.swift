import HTTPTypes

/// The state of one HTTP/1.1 connection's requests and responses, as far as the connection's end depends on it.
struct HTTP1ConnectionState {
    /// The properties of a request that determine the framing of its response.
    struct Request {
        /// True if the connection ends after the response.
        var closes: Bool
        /// True if the client speaks HTTP/1.0.
        var isHTTP10: Bool
        /// True if the response ends with its head.
        var isHead: Bool
    }

    /// The framing of a response.
    struct Framing: Equatable {
        /// True if the connection ends after it.
        var closes: Bool
        /// True if the client speaks HTTP/1.0.
        var isHTTP10: Bool
        /// True if nothing is written after the head.
        var dropsBody: Bool
    }

    /// The consequence of an event.
    enum Action: Equatable {
        case none
        /// The client has disconnected, and does not wait for a response.
        case leave
        /// The output ends once everything is written, and then the connection ends.
        case endOutput
        /// The connection ends.
        case close
    }

    /// The handling of bytes that are not HTTP.
    enum Malformed: Equatable {
        /// They are answered with a refusal, after the responses to earlier requests.
        case refuse
        /// The content of the request under way is broken.
        case breakContent
        /// The connection ends after the responses under way, or at once.
        case ignore(Action)
    }

    /// The requests whose responses have not begun, the oldest first.
    private var pending: [Request] = []
    /// True if a response is being written.
    private var isAnswering = false
    /// True if the socket has not taken all of the responses that were written at once.
    private var isSending = false
    /// True if the response that is being written is the last.
    private var isLast = false
    /// True if more of a request's content is to come.
    private(set) var isInContent = false
    /// True if no further request is read.
    private(set) var isDone = false
    /// True if the client does not send anything more.
    private(set) var isInputClosed = false
    /// True if the client sent bytes that are not HTTP.
    private var isMalformed = false

    /// True if no request has been received.
    private(set) var isNew = true

    /// The number of requests that are not answered completely.
    var unanswered: Int { pending.count + (isAnswering ? 1 : 0) + (isSending ? 1 : 0) }

    /// True if the client does not send anything more, and one response is left. Earlier responses are written in any
    /// case, since their requests were complete before the client stopped sending (as in nginx). So is the refusal of a
    /// request that broke off.
    var isAtLastResponse: Bool { isInputClosed && unanswered == 1 && !isInContent && !isMalformed }

    /// True if the client waits for a response, and the gateway waits for no part of a request.
    var waitsForResponse: Bool { unanswered > 0 && !isInContent }

    /// Notes the head of a request.
    mutating func begin(_ request: Request) {
        pending.append(request)
        isNew = false
        isInContent = true
        if request.closes { isDone = true }
    }

    /// Notes the end of a request.
    mutating func endRequest() { isInContent = false }

    /// True if every request is read completely and answered, and another one may follow.
    var isIdle: Bool { unanswered == 0 && !isInContent && !isDone && !isInputClosed }

    /// Notes a request that was read and answered completely while the connection was idle.
    mutating func answerAtOnce() { isNew = false }

    /// Notes that the socket has not taken all of the responses that were written at once.
    mutating func beginSending() { isSending = true }

    /// Notes that the socket has taken them, or that they were lost with the connection.
    mutating func endSending() -> Action {
        isSending = false
        return isInputClosed && unanswered == 0 ? .endOutput : .none
    }

    /// Notes a request that is answered without being read. Nothing is read after it.
    mutating func refuse(isHTTP10: Bool = false, isHead: Bool = false) {
        pending.append(Request(closes: true, isHTTP10: isHTTP10, isHead: isHead))
        isInContent = false
        isDone = true
    }

    /// Notes that the client sent bytes that are not HTTP.
    mutating func malformed() -> Malformed {
        guard isInContent || !isDone else { return .ignore(.none) }
        isDone = true
        isMalformed = true
        guard isInContent else {
            pending.append(Request(closes: true, isHTTP10: false, isHead: false))
            return .refuse
        }
        isInContent = false
        if !pending.isEmpty {
            pending[pending.count - 1].closes = true
            return .breakContent
        }
        // A request that was answered does not get a second response.
        guard isAnswering else { return .ignore(.endOutput) }
        isLast = true
        return .breakContent
    }

    /// Notes the head of a response, and returns its framing; nil if there is no request for it.
    /// - Parameters:
    ///   - hasKnownEnd: True if the head says where the response ends.
    ///   - isDraining: True if the connection is to end as soon as that loses no request.
    mutating func beginResponse(hasKnownEnd: Bool, isDraining: Bool) -> Framing? {
        guard !pending.isEmpty else { return nil }
        let request = pending.removeFirst()
        isAnswering = true
        // HTTP/1.0 does not have chunks: a response without a length ends with the connection.
        isLast = request.closes || request.isHTTP10 && !hasKnownEnd && !request.isHead
        // If another request has been read already, ending the connection now would lose it. The response to that
        // request announces the end.
        if isDraining || isInputClosed, pending.isEmpty { isLast = true }
        // "The server MUST NOT process any further requests received on that connection" (RFC 9112 §9.6).
        if isLast { isDone = true }
        return Framing(closes: isLast, isHTTP10: request.isHTTP10, dropsBody: request.isHead)
    }

    /// Notes the end of a response.
    mutating func endResponse() -> Action {
        guard isAnswering else { return .none }
        isAnswering = false
        if isLast { return .endOutput }
        guard pending.isEmpty else { return .none }
        return isInputClosed || isDone && !isInContent ? .endOutput : .none
    }

    /// Notes that the client does not send anything more.
    /// - Parameter isLeaving: True if the client then does not wait for responses either.
    mutating func closeInput(isLeaving: Bool) -> Action {
        isInputClosed = true
        if unanswered == 0 { return .close }
        return isLeaving && isAtLastResponse ? .leave : .none
    }

    /// Returns the action when the listener has closed: the connection ends if it has no unanswered request.
    func endIfIdle() -> Action { unanswered == 0 ? .close : .none }
}
