public import HTTPCaching
import HTTPTypes
public import Larder

/// The reasons why a response is cached or not, and the times for which it is served, in words. It is computed with the
/// functions that decide in the cache.
///
/// No rule of caching is implemented a second time here. The reasons against storing are found by removing each one and
/// deciding again, the meaning of a directive by reading it alone, and the answers to requests by asking ``Reuse`` at
/// every time at which an answer may change.
public struct CacheExplanation: Sendable {
    /// The result: the response is stored or not.
    public enum Conclusion: Hashable, Sendable {
        /// The response is stored, with these lifetimes.
        case stored(Lifetimes)
        /// The response is not stored, for these reasons; never empty.
        case notStored([StorageBlocker])
    }

    /// The topic of a note, which is its heading.
    public enum Topic: String, Hashable, Sendable, CaseIterable {
        /// The reasons why the response is stored or not.
        case why = "Why"
        /// The source of the lifetime, and the uses it allows.
        case lifetime = "Lifetime"
        /// The age of the response on arrival.
        case age = "Age"
        /// The directives of the response, one by one.
        case directives = "Directives"
        /// The directives of the request.
        case request = "Request"
        /// The other requests that the response answers.
        case vary = "Vary"
        /// The cookies that the response sets.
        case cookies = "Cookies"
        /// The credentials of the request.
        case authorization = "Authorization"
        /// The tags by which the response can be invalidated.
        case tags = "Tags"
        /// The validators that a revalidation would send.
        case validators = "Validators"
    }

    /// A short text on one topic.
    public struct Note: Hashable, Sendable {
        /// The topic of the note.
        public let topic: Topic
        /// The text, one or two sentences.
        public let text: String
    }

    /// The exchange that is explained.
    public let exchange: Exchange
    /// The policy by which the exchange is explained.
    public let policy: CachePolicy
    /// The result: the response is stored or not.
    public let conclusion: Conclusion
    /// The key of the response; nil if it has none, or if the request was assumed.
    public let key: CacheKey?
    /// The notes, in the order of their topics.
    public let notes: [Note]
    /// The answers to requests for the stored response; nil if it is not stored.
    public let timeLine: TimeLine?

    /// Creates the explanation of an exchange by these rules, with the policy of a gateway in all other respects.
    public init(_ exchange: Exchange, rules: CachingRules = .gateway) {
        var policy = CachePolicy.gateway
        policy.rules = rules
        self.init(exchange, policy: policy)
    }

    /// Creates the explanation of an exchange by a policy.
    public init(_ exchange: Exchange, policy: CachePolicy) {
        var exchange = exchange
        // A gateway removes the fields that `Connection` names before it looks up a response.
        HopByHop.stripNamed(&exchange.request.headerFields)
        let decision = RequestDecision.decide(exchange.request, user: nil, policy: SharedPolicy(policy))
        self.exchange = exchange
        self.policy = policy
        // Fields that the policy withholds from the request do not affect the rest of the explanation.
        if case .lookUp(let cacheable) = decision {
            exchange.request = cacheable.request
            self.key = exchange.isRequestAssumed ? nil : cacheable.location.key
        } else {
            self.key = nil
        }
        self.conclusion = Self.conclusion(on: exchange, after: decision, policy)
        if case .stored(let lifetimes) = conclusion {
            let stored = exchange.storedHead(policy)
            self.timeLine = TimeLine(of: exchange, stored: stored, lifetimes: lifetimes, policy: policy)
        } else {
            self.timeLine = nil
        }
        self.notes =
            ExplanationBuilder(asked: self.exchange.request, exchange: exchange, policy: policy, conclusion: conclusion)
            .notes
    }

    private static func conclusion(
        on exchange: Exchange,
        after decision: RequestDecision,
        _ policy: CachePolicy
    ) -> Conclusion {
        var blockers: [StorageBlocker] = []
        switch decision {
        case .write: return .notStored([StorageBlocker(writing: exchange, under: policy)])
        case .bypass(let reason): blockers.append(StorageBlocker(reason))
        case .lookUp: break
        }
        let search = StorageBlockerSearch(exchange, rules: policy.rules)
        blockers += search.reasons.map { StorageBlocker($0, exchange, policy.rules) }
        let tags = ResponseTags(exchange.response.headerFields, named: policy.rules.tagFields)
        if let blocker = tags.notStoredReason(limit: policy.tagLimit) {
            blockers.append(StorageBlocker(blocker, exchange, policy))
        }
        if let length = exchange.bodyLength, length > policy.bodyLimit.bytes {
            blockers.append(StorageBlocker(.tooLarge, exchange, policy))
        }
        guard blockers.isEmpty, let lifetimes = search.lifetimes else { return .notStored(blockers) }
        return .stored(lifetimes)
    }
}

extension CacheExplanation {
    /// The result in one line, such as `Stored: fresh for 60 s`.
    public var headline: String {
        switch conclusion {
        case .notStored(let blockers):
            let others = blockers.count - 1
            let more = others > 0 ? ", and \(others) more \(others == 1 ? "reason" : "reasons")" : ""
            return "Not stored: \(blockers.first?.phrase ?? "no reason is known")\(more)"
        case .stored(let lifetimes):
            let left = lifetimes.freshUntil.duration(since: exchange.respondedAt)
            let age = exchange.respondedAt.duration(since: lifetimes.generatedAt)
            if lifetimes.alwaysRevalidate { return "Stored: validated with the origin before every use" }
            if left <= .zero {
                return lifetimes.freshUntil > lifetimes.generatedAt
                    ? "Stored: already stale, since it was \(age.inWords) old on arrival"
                    : "Stored: stale from the start"
            }
            return "Stored: fresh for \(left.inWords)" + (age > .zero ? "; it was \(age.inWords) old on arrival" : "")
        }
    }
}
