public import HTTPTypes

/// Why a response is not stored. The raw value is the `detail` in `Cache-Status`.
public enum Refusal: String, Hashable, Sendable, CaseIterable {
    /// Only answers to GET are stored.
    case method
    /// The request said `no-store`.
    case requestNoStore = "request-no-store"
    /// The status is not one that these rules store.
    case status
    /// A part, or an answer to a condition or a range, and not the whole (206, 304, 412, 416).
    case partial
    /// `must-understand`, and the status code is not understood.
    case notUnderstood = "not-understood"
    /// The response said `no-store`.
    case noStore = "no-store"
    /// The response said `private`.
    case `private`
    /// The request had credentials, and the response does not allow sharing it.
    case authorization
    /// The response sets a cookie.
    case setCookie = "set-cookie"
    /// `Vary: *`.
    case varyStar = "vary-star"
    /// The rules want `public` or `s-maxage`, and there is neither.
    case notPublic = "not-public"
    /// `no-cache`, and no validator to ask with.
    case noCache = "no-cache"
    /// Never fresh, and no validator to ask with.
    case noFreshness = "no-freshness"
    /// An event stream, which does not end.
    case eventStream = "event-stream"

    /// The token in `Cache-Status` (RFC 9211 §2.8).
    public var detail: String { self.rawValue }
}

/// Whether a response is stored (RFC 9111 §3), and for how long it is good.
public enum Storability: Hashable, Sendable {
    /// Store it.
    case store(Lifetimes)
    /// Do not.
    case refuse(Refusal)

    /// Decides for a response that was asked for at `requestedAt` and whose head arrived at `respondedAt`.
    public static func decide(
        request: HTTPRequest,
        response: HTTPResponse,
        rules: CachingRules,
        requestedAt: Timestamp,
        respondedAt: Timestamp
    ) -> Storability {
        self.decide(
            request: request,
            response: response,
            directives: ResponseDirectives(response.headerFields, targets: rules.targetedFields),
            rules: rules,
            requestedAt: requestedAt,
            respondedAt: respondedAt
        )
    }

    /// The same with the directives of the response already parsed.
    public static func decide(
        request: HTTPRequest,
        response: HTTPResponse,
        directives: ResponseDirectives,
        rules: CachingRules,
        requestedAt: Timestamp,
        respondedAt: Timestamp
    ) -> Storability {
        .refuse(.status)
    }
}
