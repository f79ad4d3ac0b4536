import HTTPCaching
public import HTTPTypes
public import LarderTestSupport
import NIOConcurrencyHelpers

/// The origin of a conversation, for whichever transport asks it: it does what the step says, and remembers what it was
/// asked.
public final class ConversationStage: Sendable {
    /// What the origin does, with nothing left to fill in. Lengths of content are for the transport to say.
    public enum Performance: Sendable {
        /// It sends this head and this content; nil: no content, as with 304.
        case answers(HTTPResponse, String?)
        /// It closes the connection.
        case closes
        /// It promises so many bytes, sends these, and closes the connection.
        case breaksOff(HTTPResponse, String, promising: Int)
    }

    struct Scene: Sendable {
        let step: Conversation.Step
        let number: Int
        let host: String
        let beginning: Timestamp
        /// Holds the answers until everybody in the crowd asks or waits.
        let gate: Gate
    }

    private let state = NIOLockedValueBox<(scene: Scene?, questions: [HTTPRequest])>((nil, []))
    private let clock: ManualClock

    /// A stage where the time is that of a clock.
    public init(clock: ManualClock) { self.clock = clock }

    /// What the origin does with a question. The head of an answer has all its fields but those of its framing.
    public func perform(_ question: HTTPRequest) async -> Performance {
        let (scene, act) = state.withLockedValue { state in
            defer { state.questions.append(question) }
            let acts = state.scene?.step.acts ?? []
            return (state.scene, acts.dropFirst(state.questions.count).first ?? acts.last)
        }
        guard let scene, let act else { return .closes }
        await scene.gate.pass()
        if scene.step.delay > 0 { clock.advance(by: .seconds(scene.step.delay)) }
        let hasContent = question.method != .head
        switch act {
        case .answers(let reply):
            let text = hasContent && reply.hasContent ? reply.text ?? Conversation.text(of: scene.number) : nil
            return .answers(head(of: reply, in: scene), text)
        case .closes: return .closes
        case .breaksOff(let reply, let length):
            return .breaksOff(head(of: reply, in: scene), reply.text ?? "", promising: length)
        }
    }

    private func head(of reply: Conversation.Reply, in scene: Scene) -> HTTPResponse {
        let lines = reply.lines.split(separator: "\n").filter { $0 != "Date: none" }.joined(separator: "\n")
        var fields = HTTPFields(lines: scene.fill(lines), at: scene.beginning)
        if !reply.lines.contains("Date:") { fields[.date] = HTTPDate.format(clock.now) }
        return HTTPResponse(status: .init(code: reply.status), headerFields: fields)
    }

    /// The questions since the last scene began.
    var questions: [HTTPRequest] { state.withLockedValue { $0.questions } }

    /// Another step begins.
    func enter(_ scene: Scene) { state.withLockedValue { $0 = (scene, []) } }
}

extension ConversationStage.Scene {
    /// A text with the host filled in.
    func fill(_ text: String) -> String { text.replacing("{host}", with: host) }
}

extension Conversation {
    /// What a reply says that was given no text: it names the step, counted from 1.
    public static func text(of step: Int) -> String { "answer \(step)" }
}

extension Conversation.Reply {
    /// Whether a response with this status has content.
    var hasContent: Bool { ![204, 205, 304].contains(status) }
}
