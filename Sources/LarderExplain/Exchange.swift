public import HTTPCaching
public import HTTPTypes
import Larder

/// A request, its response, and the times of both: the input of a ``CacheExplanation``.
public struct Exchange: Sendable {
    /// The request as the origin received it.
    public var request: HTTPRequest
    /// The response as the origin sent it, including hop-by-hop fields.
    public var response: HTTPResponse
    /// The length of the response's content in bytes; nil if it is not known.
    public var bodyLength: Int?
    /// The time at which the request was sent.
    public var requestedAt: Timestamp
    /// The time at which the head of the response arrived.
    public var respondedAt: Timestamp
    /// True if the request is not known and a plain GET is assumed. The response has no key in that case.
    public var isRequestAssumed: Bool

    /// Creates an exchange.
    public init(
        request: HTTPRequest,
        response: HTTPResponse,
        bodyLength: Int? = nil,
        requestedAt: Timestamp,
        respondedAt: Timestamp,
        isRequestAssumed: Bool = false
    ) {
        self.request = request
        self.response = response
        self.bodyLength = bodyLength
        self.requestedAt = requestedAt
        self.respondedAt = respondedAt
        self.isRequestAssumed = isRequestAssumed
    }
}

extension Exchange {
    /// Returns the directives of the response, from the first field that counts under `rules`.
    func directives(_ rules: CachingRules) -> ResponseDirectives {
        ResponseDirectives(response.headerFields, targets: rules.targetedFields)
    }

    /// Returns the calculation of age and lifetime that the decision to store is based on.
    func freshness(_ rules: CachingRules) -> Freshness {
        Freshness(
            response: response,
            directives: directives(rules),
            rules: rules,
            requestedAt: requestedAt,
            respondedAt: respondedAt
        )
    }

    /// Returns the head that would be stored.
    func storedHead(_ policy: CachePolicy) -> HTTPResponse {
        var fields = HopByHop.storedFields(
            of: response.headerFields,
            directives: directives(policy.rules),
            receivedAt: respondedAt
        )
        for name in policy.rules.tagFields { fields[name] = nil }
        // The tag would be computed from the body, which is not available; only its presence matters.
        if policy.makesEntityTags, !fields.contains(.eTag) { fields[.eTag] = "\"made-of-the-body\"" }
        return HTTPResponse(status: response.status, headerFields: fields)
    }
}
