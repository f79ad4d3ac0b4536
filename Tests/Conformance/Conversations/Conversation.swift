public import HTTPCaching
public import HTTPTypes
public import Larder

/// A conversation of clients with a cache in front of a scripted origin, as plain values: what is asked, what the
/// origin does if it is asked, how much time passes, and what must come of it. It can be played over any transport.
///
/// ```swift
/// Conversation(
///     "304-freshens", "9111 §4.3.4",
///     .get().answered("Cache-Control: max-age=10\nETag: \"a\"").asked(),
///     .get().after(15).answered(304, "ETag: \"a\"").asked(with: "If-None-Match: \"a\"").gets(from: 1),
///     .get().after(5).gets(from: 1)
/// )
/// ```
public struct Conversation: Sendable, CustomStringConvertible {
    /// The name of the case, for failures and for other harnesses.
    public let id: String
    /// Where the rule stands.
    public let anchor: String
    /// What the cache goes by, in place of the gateway's own rules.
    public let rules: CachingRules
    /// What happens, in order.
    public let steps: [Step]

    /// A conversation with a cache by these rules.
    public init(_ id: String, _ anchor: String, rules: CachingRules = .gateway, _ steps: Step...) {
        self.init(id: id, anchor: anchor, rules: rules, steps: steps)
    }

    init(id: String, anchor: String, rules: CachingRules, steps: [Step]) {
        self.id = id
        self.anchor = anchor
        self.rules = rules
        self.steps = steps
    }

    public var description: String { "\(id) (\(anchor))" }

    /// The policy of the gateway that the conversation is held with.
    public var policy: CachePolicy {
        var policy = CachePolicy.gateway
        policy.rules = rules
        return policy
    }

    /// The host that the requests are for: one of its own for each conversation, so that one cache can hold many.
    public var host: String {
        let legal = Set("abcdefghijklmnopqrstuvwxyz0123456789-")
        let label = id.lowercased().map { legal.contains($0) ? String($0) : "x\($0.unicodeScalars.first?.value ?? 0)" }
        return label.joined() + ".example"
    }
}

extension Conversation {
    /// What an origin does when it is asked.
    public enum Act: Sendable {
        /// It answers.
        case answers(Reply)
        /// It closes the connection without a word.
        case closes
        /// It sends a head that promises so many bytes, and the text as the beginning of them, and closes.
        case breaksOff(Reply, promising: Int)
    }

    /// A response as it is written down.
    public struct Reply: Sendable {
        /// The status code.
        public var status = 200
        /// The fields, one a line; `{60}` is the date sixty seconds after the beginning, and `{host}` the host. Without
        /// a line `Date` there is one of the time of the answer; `Date: none` stands for no `Date`.
        public var lines = ""
        /// The content; nil: a text that names the step. There is none with 204, 205, 304 and in answers to HEAD.
        public var text: String?
    }

    /// What the content of a response is.
    public enum Content: Sendable {
        /// Anything.
        case any
        /// What this very step's reply says.
        case own
        /// What the reply of an earlier step says, counted from 1.
        case step(Int)
        /// This text.
        case text(String)
        /// Something that ends before its end.
        case broken
    }

    /// One request of a client, or of some at once, and what must come of it.
    public struct Step: Sendable {
        /// The seconds that pass before it.
        public var pause = 0
        /// The method of the request.
        public var method: HTTPRequest.Method
        /// Path and query of the request.
        public var target: String
        /// The fields of the request, one a line, written like those of a ``Reply``.
        public var lines = ""
        /// The content of the request.
        public var content: String?
        /// How many clients send it at once; the origin answers once all of them ask or wait.
        public var crowd = 1

        /// What the origin does if it is asked, question by question; the last of it again and again.
        public var acts = [Act.answers(Reply(lines: "Cache-Control: no-store"))]
        /// How many seconds the origin takes.
        public var delay = 0

        /// How many questions the origin gets, those in the background apart.
        public var questions = 0
        /// How many it gets in the background.
        public var refreshes = 0
        /// The lines that every question has: `If-None-Match: "a"`, or a name alone.
        public var inQuestion: [String] = []
        /// The names of fields that no question has.
        public var notInQuestion: [String] = []
        /// The method of the questions; nil: that of the request.
        public var questionMethod: HTTPRequest.Method?

        /// The status that the client gets; nil: that of this step's reply where the origin is asked, else 200. Where
        /// the cache has no response to give, 504 stands for an origin that must be asked and cannot be, and 502 for
        /// any other failure.
        public var status: Int?
        /// The lines that the response has.
        public var inAnswer: [String] = []
        /// The names of fields that it has not.
        public var notInAnswer: [String] = []
        /// What it says.
        public var says = Content.any
    }
}
