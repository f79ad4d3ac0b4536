import Testing

@testable import LarderGateway

/// The end of an HTTP/1.1 connection, by which no request is lost that was read.
@Suite(.timeLimit(.minutes(5))) struct HTTP1ConnectionStateTests {
    private typealias Request = HTTP1ConnectionState.Request

    /// Returns the state of a connection with a number of requests without content.
    private static func state(_ count: Int, closes: Bool = false, isHTTP10: Bool = false) -> HTTP1ConnectionState {
        var state = HTTP1ConnectionState()
        for _ in 0..<count {
            state.begin(Request(closes: closes, isHTTP10: isHTTP10, isHead: false))
            state.endRequest()
        }
        return state
    }

    @Test func `A connection that is to end announces it in the last response to a request that was read`() {
        var state = Self.state(2)
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: true)?.closes == false)
        #expect(state.endResponse() == .none)
        #expect(!state.isDone)
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: true)?.closes == true)
        #expect(state.isDone && state.endIfIdle() == .none)
        #expect(state.endResponse() == .endOutput)
        #expect(state.unanswered == 0)
    }

    @Test func `An HTTP_1_0 connection persists only after a response with a length`() {
        for (closes, hasKnownEnd) in [(true, true), (false, false), (false, true)] {
            var state = Self.state(1, closes: closes, isHTTP10: true)
            let framing = state.beginResponse(hasKnownEnd: hasKnownEnd, isDraining: false)
            #expect(framing?.isHTTP10 == true && framing?.closes == (closes || !hasKnownEnd))
        }
    }

    @Test func `A client that closed its input has left if one response is awaited, unless it sent malformed bytes`() {
        var state = Self.state(1)
        #expect(state.closeInput(isLeaving: true) == .leave)
        state = Self.state(1)
        #expect(state.closeInput(isLeaving: false) == .none)
        state = Self.state(2)
        #expect(state.closeInput(isLeaving: true) == .none)
        #expect(!state.isAtLastResponse)
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: false)?.closes == false)
        #expect(state.endResponse() == .none)
        #expect(state.isAtLastResponse)
        state = HTTP1ConnectionState()
        #expect(state.closeInput(isLeaving: true) == .close)
        state = HTTP1ConnectionState()
        state.begin(Request(closes: false, isHTTP10: false, isHead: false))
        #expect(state.malformed() == .breakContent)
        #expect(state.closeInput(isLeaving: true) == .none)
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: false)?.closes == true)
    }

    @Test func `Malformed bytes are answered once, and only if their request is not answered already`() {
        var state = Self.state(1)
        #expect(state.malformed() == .refuse)
        #expect(state.malformed() == .ignore(.none))
        #expect(state.unanswered == 2)
        state = HTTP1ConnectionState()
        state.begin(Request(closes: false, isHTTP10: false, isHead: false))
        _ = state.beginResponse(hasKnownEnd: true, isDraining: false)
        #expect(state.endResponse() == .none)
        #expect(state.malformed() == .ignore(.endOutput))
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: false) == nil)
    }
}
