public import HTTPCaching
public import HTTPTypes

/// One rule of caching as an experiment: a request and its response, and another request some time later.
///
/// The tables are played on the pure functions, and as an ``conversation`` against a whole cache.
public struct Scenario: Sendable, CustomStringConvertible {
    /// What becomes of the second request.
    public enum Outcome: Hashable, Sendable {
        /// Answered from the store, fresh.
        case hit
        /// Answered from the store with a 304.
        case notModified
        /// Answered from the store, stale, and refreshed in the background.
        case staleAndRefreshed
        /// Answered from the store, stale, because the client allows it.
        case stale
        /// The origin is asked first, for this reason.
        case asks(Reuse.RevalidateReason)
        /// What is stored is not for this request.
        case varies
        /// The origin is asked since it alone can judge the conditions.
        case forwarded
        /// Nothing was stored, for this reason.
        case notStorable(NotStorableReason)
        /// What was stored is of no use any more.
        case gone
    }

    /// The moment of the first request: Sun, 06 Nov 1994 08:49:37 GMT. Some responses name dates that are near it.
    public static let beginning = Timestamp(secondsSinceEpoch: 784_111_777)

    /// The name of the case, for failures and for other harnesses.
    public let id: String
    /// Where the rule stands.
    public let anchor: String
    /// The method of the first request; the second is a GET.
    public let method: HTTPRequest.Method
    /// The fields of the first request, one a line.
    public let firstRequest: String
    /// The status of its response.
    public let status: Int
    /// The fields of its response, one a line; `{60}` is the date sixty seconds after ``beginning``, and a line
    /// `Date: none` stands for no `Date`.
    public let response: String
    /// Seconds from the first request to its response.
    public let delay: Int
    /// Seconds from the first request to the second.
    public let seconds: Int
    /// The fields of the second request, one a line.
    public let secondRequest: String
    /// What the cache goes by.
    public let rules: CachingRules
    /// What becomes of the second request.
    public let expected: Outcome

    /// - Parameters:
    ///   - response: its fields; a `Date` of ``beginning`` is added, unless the fields say `Date`.
    ///   - delay: seconds from the first request to its response.
    ///   - seconds: from the first request to the second.
    init(
        _ id: String,
        _ anchor: String,
        _ response: String,
        after seconds: Int = 1,
        _ expected: Outcome,
        status: Int = 200,
        method: HTTPRequest.Method = .get,
        first: String = "",
        then secondRequest: String = "",
        delay: Int = 0,
        rules: CachingRules = .gateway
    ) {
        self.id = id
        self.anchor = anchor
        self.method = method
        self.firstRequest = first
        self.status = status
        self.response = response.contains("Date:") ? response : "Date: {0}\n" + response
        self.delay = delay
        self.seconds = seconds
        self.secondRequest = secondRequest
        self.rules = rules
        self.expected = expected
    }

    public var description: String { "\(self.id) (\(self.anchor))" }

    /// Every scenario.
    public static let all =
        freshness + expires + age + heuristics + statuses + sharing + directives + requests + stale
        + validation + variants + codings + errors + targeted + presets + forced
}

extension CachingRules {
    /// These rules with something changed.
    package func with(_ change: (inout CachingRules) -> Void) -> CachingRules {
        var rules = self
        change(&rules)
        return rules
    }
}
