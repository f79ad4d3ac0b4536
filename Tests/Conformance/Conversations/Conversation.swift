public import HTTPCaching
public import HTTPTypes
public import Larder

/// A conversation of clients with a cache in front of a scripted origin, as plain values: what is asked, what the
/// origin does if it is asked, how much time passes, and what must come of it. It runs over any transport.
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
    /// The section of the specification that states the rule.
    public let anchor: String
    /// The rules of the cache, in place of the gateway's own.
    public let rules: CachingRules
    /// The steps, in order.
    public let steps: [Step]

    /// Creates a conversation with a cache that has these rules.
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

    /// The policy of the gateway that takes part in the conversation.
    public var policy: CachePolicy {
        var policy = CachePolicy.gateway
        policy.rules = rules
        return policy
    }

    /// The host of the requests. It differs between conversations, so that one cache can be used for many of them.
    public var host: String {
        let legal = Set("abcdefghijklmnopqrstuvwxyz0123456789-")
        let label = id.lowercased().map { legal.contains($0) ? String($0) : "x\($0.unicodeScalars.first?.value ?? 0)" }
        return label.joined() + ".example"
    }
}

extension Conversation {
    /// The reaction of an origin to a request.
    public enum Action: Sendable {
        /// The origin sends this response.
        case answers(Reply)
        /// The origin closes the connection without a response.
        case closes
        /// The origin sends a head that declares this many bytes, the text as the first of them, and closes the
        /// connection.
        case breaksOff(Reply, promising: Int)
    }

    /// The response of an origin.
    public struct Reply: Sendable {
        /// The status code.
        public var status = 200
        /// The fields, one a line; `{60}` is the date 60 s after the beginning, and `{host}` the host. Without a `Date`
        /// line, the current time is added; `Date: none` means that no `Date` is sent.
        public var lines = ""
        /// The content, or nil for a text that names the step. Responses with 204, 205, 304 and to HEAD have no
        /// content.
        public var text: String?
    }

    /// The expected content of a response.
    public enum Content: Sendable {
        /// Any content.
        case any
        /// The content of this step's reply.
        case own
        /// The content of the reply in an earlier step, counted from 1.
        case step(Int)
        /// This text.
        case text(String)
        /// A content that is incomplete.
        case broken
    }

    /// A request of one or several clients, and its expected result.
    public struct Step: Sendable {
        /// The time since the previous step, in seconds.
        public var pause = 0
        /// The method of the request.
        public var method: HTTPRequest.Method
        /// The path and query of the request.
        public var target: String
        /// The fields of the request, one a line, in the format of a ``Reply``.
        public var lines = ""
        /// The content of the request.
        public var content: String?
        /// The number of clients that send the request at once. The origin answers once all of them ask or wait.
        public var clients = 1

        /// The reactions of the origin to the requests it gets, in order; the last one is repeated.
        public var actions = [Action.answers(Reply(lines: "Cache-Control: no-store"))]
        /// The time that the origin takes, in seconds.
        public var delay = 0

        /// The number of requests that the origin gets, without those in the background.
        public var fetches = 0
        /// The number of requests that the origin gets in the background.
        public var refreshes = 0
        /// The lines that every request to the origin has: `If-None-Match: "a"`, or only a name.
        public var inFetch: [String] = []
        /// The names of fields that no request to the origin has.
        public var notInFetch: [String] = []
        /// The method of the requests to the origin, or nil for that of the client's request.
        public var fetchMethod: HTTPRequest.Method?

        /// The status that the client gets, or nil for that of this step's reply if the origin is asked, and otherwise
        /// 200. If the cache cannot give a response, 504 means that the origin had to be asked and could not be, and
        /// 502 means any other failure.
        public var status: Int?
        /// The lines that the response has.
        public var inAnswer: [String] = []
        /// The names of fields that the response does not have.
        public var notInAnswer: [String] = []
        /// The expected content.
        public var says = Content.any
    }
}
