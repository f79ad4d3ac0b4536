public import HTTPCaching
public import HTTPTypes

/// A rule of caching as an experiment: a request and its response, and another request some time later.
///
/// The tables run against the pure functions, and as a ``conversation`` with a whole cache.
public struct Scenario: Sendable, CustomStringConvertible {
    /// The outcome of the second request.
    public enum Outcome: Hashable, Sendable {
        /// The request is answered from the store with a fresh response.
        case hit
        /// The request is answered from the store with a 304.
        case notModified
        /// The request is answered from the store with a stale response, which is refreshed in the background.
        case staleAndRefreshed
        /// The request is answered from the store with a stale response, because the client allows it.
        case stale
        /// The origin is asked first, for this reason.
        case asks(Reuse.RevalidateReason)
        /// The stored response does not match the request.
        case varies
        /// The origin is asked, since only it can evaluate the conditions.
        case forwarded
        /// The response was not stored, for this reason.
        case notStorable(NotStorableReason)
        /// The stored response can no longer be used.
        case gone
    }

    /// The time of the first request: Sun, 06 Nov 1994 08:49:37 GMT. Some responses contain dates near it.
    public static let beginning = Timestamp(secondsSinceEpoch: 784_111_777)

    /// The name of the case, for failures and for other harnesses.
    public let id: String
    /// The section of the specification that states the rule.
    public let anchor: String
    /// The method of the first request; the second is a GET.
    public let method: HTTPRequest.Method
    /// The fields of the first request, one a line.
    public let firstRequest: String
    /// The status of its response.
    public let status: Int
    /// The fields of its response, one a line; `{60}` is the date 60 s after ``beginning``, and a line `Date: none`
    /// means that no `Date` is sent.
    public let response: String
    /// The time from the first request to its response, in seconds.
    public let delay: Int
    /// The time from the first request to the second, in seconds.
    public let seconds: Int
    /// The fields of the second request, one a line.
    public let secondRequest: String
    /// The rules of the cache.
    public let rules: CachingRules
    /// The expected outcome of the second request.
    public let expected: Outcome

    /// Creates a scenario.
    /// - Parameters:
    ///   - response: The fields of the response; a `Date` of ``beginning`` is added unless they include `Date`.
    ///   - delay: The time from the first request to its response, in seconds.
    ///   - seconds: The time from the first request to the second, in seconds.
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

    /// All scenarios.
    public static let all =
        freshness + expires + age + heuristics + statuses + sharing + directives + requests + stale
        + validation + variants + codings + errors + targeted + presets + forced
}

extension CachingRules {
    /// Returns these rules with a change.
    package func with(_ change: (inout CachingRules) -> Void) -> CachingRules {
        var rules = self
        change(&rules)
        return rules
    }
}
