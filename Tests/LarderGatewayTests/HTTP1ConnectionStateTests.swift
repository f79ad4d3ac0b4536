import Testing

@testable import LarderGateway

/// When an HTTP/1.1 connection ends, and what is lost with it: nothing that was read.
@Suite(.timeLimit(.minutes(5))) struct HTTP1ConnectionStateTests {
    private typealias Request = HTTP1ConnectionState.Request

    /// A connection by which so many requests without content have come.
    private static func state(_ count: Int, closes: Bool = false, isOld: Bool = false) -> HTTP1ConnectionState {
        var state = HTTP1ConnectionState()
        for _ in 0..<count {
            state.begin(Request(closes: closes, isOld: isOld, isHead: false))
            state.endRequest()
        }
        return state
    }

    @Test func `a connection that is to end says so in the last response to what it has read`() {
        var state = Self.state(2)
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: true)?.closes == false)
        #expect(state.endResponse() == .none)
        #expect(!state.isDone)
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: true)?.closes == true)
        #expect(state.isDone && state.endIfIdle() == .none)
        #expect(state.endResponse() == .endOutput)
        #expect(state.unanswered == 0)
    }

    @Test func `HTTP_1_0 keeps its connection for what has a length alone`() {
        for (closes, hasKnownEnd) in [(true, true), (false, false), (false, true)] {
            var state = Self.state(1, closes: closes, isOld: true)
            let framing = state.beginResponse(hasKnownEnd: hasKnownEnd, isDraining: false)
            #expect(framing?.isOld == true && framing?.closes == (closes || !hasKnownEnd))
        }
    }

    @Test func `who sends no more has left if one response is awaited, unless it sent what is no HTTP`() {
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
        state.begin(Request(closes: false, isOld: false, isHead: false))
        #expect(state.malformed() == .breakContent)
        #expect(state.closeInput(isLeaving: true) == .none)
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: false)?.closes == true)
    }

    @Test func `what is no HTTP is answered once, and only if its request is not answered already`() {
        var state = Self.state(1)
        #expect(state.malformed() == .refuse)
        #expect(state.malformed() == .ignore(.none))
        #expect(state.unanswered == 2)
        state = HTTP1ConnectionState()
        state.begin(Request(closes: false, isOld: false, isHead: false))
        _ = state.beginResponse(hasKnownEnd: true, isDraining: false)
        #expect(state.endResponse() == .none)
        #expect(state.malformed() == .ignore(.endOutput))
        #expect(state.beginResponse(hasKnownEnd: true, isDraining: false) == nil)
    }
}
