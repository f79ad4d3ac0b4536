public import HTTPCaching
import HTTPTypes
public import Larder

/// Why a response is cached or not, for how long, and what would be served when: in words, and made of the very
/// functions that decide in the cache.
///
/// No rule of caching is written down here a second time. What is in the way is found by granting what was refused and
/// deciding again, what a directive means by reading it alone, and what a request gets by asking ``Reuse`` at every
/// moment at which its answer may change.
public struct CacheExplanation: Sendable {
    /// Whether the response is stored.
    public enum Verdict: Hashable, Sendable {
        /// It is.
        case stored(Lifetimes)
        /// It is not, since all this is in the way; never empty.
        case notStored([StorageBlocker])
    }

    /// What a note is about: its heading.
    public enum Topic: String, Hashable, Sendable, CaseIterable {
        /// What makes the response storable, or keeps it from being stored.
        case why = "Why"
        /// Where the lifetime comes from, and what it allows.
        case lifetime = "Lifetime"
        /// How old the response was when it came.
        case age = "Age"
        /// The directives of the response, one by one.
        case directives = "Directives"
        /// What the request asks of caches.
        case request = "Request"
        /// Which other requests the response answers.
        case vary = "Vary"
        /// The cookies that the response sets.
        case cookies = "Cookies"
        /// The credentials of the request.
        case authorization = "Authorization"
        /// The tags by which the response can be invalidated.
        case tags = "Tags"
        /// What a revalidation would ask.
        case validators = "Validators"
    }

    /// A sentence or two on one topic.
    public struct Note: Hashable, Sendable {
        /// What it is about.
        public let topic: Topic
        /// The sentence.
        public let text: String
    }

    /// What was explained.
    public let exchange: Exchange
    /// The policy that it was explained by.
    public let policy: CachePolicy
    /// Whether the response is stored.
    public let verdict: Verdict
    /// The key of the response; nil where it has none, or the request was assumed.
    public let key: CacheKey?
    /// The notes, in the order of their topics.
    public let notes: [Note]
    /// What requests get of the stored response; nil where there is none.
    public let timeLine: TimeLine?

    /// Explains an exchange by the rules of caching, with all else as a gateway has it.
    public init(_ exchange: Exchange, rules: CachingRules = .gateway) {
        var policy = CachePolicy.gateway
        policy.rules = rules
        self.init(exchange, policy: policy)
    }

    /// Explains an exchange by a policy.
    public init(_ exchange: Exchange, policy: CachePolicy) {
        var exchange = exchange
        // What `Connection` names, a gateway has taken off before it looks for an answer.
        HopByHop.stripNamed(&exchange.request.headerFields)
        let decision = RequestDecision.decide(exchange.request, user: nil, policy: policy)
        self.exchange = exchange
        self.policy = policy
        // What the policy withholds from the request has no say in anything that follows.
        if case .lookUp(let cacheable) = decision {
            exchange.request = cacheable.request
            self.key = exchange.isRequestAssumed ? nil : cacheable.location.key
        } else {
            self.key = nil
        }
        self.verdict = Self.verdict(on: exchange, admitted: decision, policy)
        if case .stored(let lifetimes) = verdict {
            let stored = exchange.storedHead(policy)
            self.timeLine = TimeLine(of: exchange, stored: stored, lifetimes: lifetimes, policy: policy)
        } else {
            self.timeLine = nil
        }
        self.notes =
            ExplanationBuilder(asked: self.exchange.request, exchange: exchange, policy: policy, verdict: verdict).notes
    }

    private static func verdict(on exchange: Exchange, admitted: RequestDecision, _ policy: CachePolicy) -> Verdict {
        var obstacles: [StorageBlocker] = []
        switch admitted {
        case .write: return .notStored([StorageBlocker(writing: exchange, under: policy)])
        case .bypass(let reason): obstacles.append(StorageBlocker(reason))
        case .lookUp: break
        }
        let search = StorageBlockerSearch(exchange, rules: policy.rules)
        obstacles += search.refusals.map { StorageBlocker($0, exchange, policy.rules) }
        let tags = ResponseTags(exchange.response.headerFields, named: policy.rules.tagFields)
        if let obstacle = tags.obstacle(limit: policy.tagLimit) {
            obstacles.append(StorageBlocker(obstacle, exchange, policy))
        }
        if let length = exchange.bodyLength, length > policy.bodyLimit.bytes {
            obstacles.append(StorageBlocker(.tooLarge, exchange, policy))
        }
        guard obstacles.isEmpty, let lifetimes = search.lifetimes else { return .notStored(obstacles) }
        return .stored(lifetimes)
    }
}

extension CacheExplanation {
    /// The verdict in a line, such as `Stored: fresh for 60 s`.
    public var headline: String {
        switch verdict {
        case .notStored(let obstacles):
            let others = obstacles.count - 1
            let more = others > 0 ? ", and \(others) more \(others == 1 ? "reason" : "reasons")" : ""
            return "Not stored: \(obstacles.first?.token ?? "no reason")\(more)"
        case .stored(let lifetimes):
            let left = lifetimes.freshUntil.duration(since: exchange.respondedAt)
            let age = exchange.respondedAt.duration(since: lifetimes.born)
            if lifetimes.alwaysRevalidate { return "Stored: validated with the origin before every use" }
            if left <= .zero {
                return lifetimes.freshUntil > lifetimes.born
                    ? "Stored: stale already, as it was \(age.inWords) old when it came"
                    : "Stored: stale from the start"
            }
            return "Stored: fresh for \(left.inWords)" + (age > .zero ? "; it was \(age.inWords) old when it came" : "")
        }
    }
}
