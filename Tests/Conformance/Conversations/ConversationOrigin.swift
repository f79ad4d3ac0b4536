import HTTPCaching
public import HTTPTypes
public import LarderTestSupport
import NIOConcurrencyHelpers
import TestHelpers

/// The origin of a conversation, for any transport. It reacts as the step says, and records the requests it gets.
public final class ConversationOrigin: Sendable {
    /// The reaction of the origin with all values filled in. The transport adds the length of the content.
    public enum Reaction: Sendable {
        /// The origin sends this head and this content; nil means no content, as with 304.
        case answers(HTTPResponse, String?)
        /// The origin closes the connection.
        case closes
        /// The origin declares this many bytes, sends these, and closes the connection.
        case breaksOff(HTTPResponse, String, promising: Int)
    }

    struct StepContext: Sendable {
        let step: Conversation.Step
        let number: Int
        let host: String
        let beginning: Timestamp
        /// A gate that holds the responses until all clients of the step ask or wait.
        let gate: Gate
    }

    private let state = NIOLockedValueBox<(context: StepContext?, fetches: [HTTPRequest])>((nil, []))
    private let clock: ManualClock

    /// Creates an origin that uses the time of a clock.
    public init(clock: ManualClock) { self.clock = clock }

    /// Returns the origin's reaction to a request. The head of a response has all its fields except those of its
    /// framing.
    public func react(to request: HTTPRequest) async -> Reaction {
        let (context, action) = state.withLockedValue { state in
            defer { state.fetches.append(request) }
            let actions = state.context?.step.actions ?? []
            return (state.context, actions.dropFirst(state.fetches.count).first ?? actions.last)
        }
        guard let context, let action else { return .closes }
        await context.gate.pass()
        if context.step.delay > 0 { clock.advance(by: .seconds(context.step.delay)) }
        let hasContent = request.method != .head
        switch action {
        case .answers(let reply):
            let text = hasContent && reply.hasContent ? reply.text ?? Conversation.text(of: context.number) : nil
            return .answers(head(of: reply, in: context), text)
        case .closes: return .closes
        case .breaksOff(let reply, let length):
            return .breaksOff(head(of: reply, in: context), reply.text ?? "", promising: length)
        }
    }

    private func head(of reply: Conversation.Reply, in context: StepContext) -> HTTPResponse {
        let lines = reply.lines.split(separator: "\n").filter { $0 != "Date: none" }.joined(separator: "\n")
        var fields = HTTPFields(lines: context.fill(lines), at: context.beginning)
        if !reply.lines.contains("Date:") { fields[.date] = HTTPDate.format(clock.now) }
        return HTTPResponse(status: .init(code: reply.status), headerFields: fields)
    }

    /// The requests that the origin got since the current step began.
    var fetches: [HTTPRequest] { state.withLockedValue { $0.fetches } }

    /// Begins another step.
    func begin(_ context: StepContext) { state.withLockedValue { $0 = (context, []) } }
}

extension ConversationOrigin.StepContext {
    /// Returns a text with the host filled in.
    func fill(_ text: String) -> String { text.replacing("{host}", with: host) }
}

extension Conversation {
    /// Returns the content of a reply without a text: it names the step, counted from 1.
    public static func text(of step: Int) -> String { "answer \(step)" }
}

extension Conversation.Reply {
    /// True if a response with this status has content.
    var hasContent: Bool { ![204, 205, 304].contains(status) }
}
