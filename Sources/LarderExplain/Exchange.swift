public import HTTPCaching
public import HTTPTypes
import Larder

/// One request, the response to it, and when they went over the wire: all that an ``CacheExplanation`` is made of.
public struct Exchange: Sendable {
    /// The request as the origin got it.
    public var request: HTTPRequest
    /// The response as the origin sent it, with the fields of its connection.
    public var response: HTTPResponse
    /// The length of the response's content in bytes; nil where it is not known.
    public var bodyLength: Int?
    /// When the request was sent.
    public var requestedAt: Timestamp
    /// When the response's head arrived.
    public var respondedAt: Timestamp
    /// Whether nobody saw the request, and a plain GET was assumed: what it asks for has no name then.
    public var isRequestAssumed: Bool

    /// An exchange.
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
    /// What the response allows caches, by the first field that counts under `rules`.
    func directives(_ rules: CachingRules) -> ResponseDirectives {
        ResponseDirectives(response.headerFields, targets: rules.targetedFields)
    }

    /// The reckoning of age and lifetime that storing rests on.
    func freshness(_ rules: CachingRules) -> Freshness {
        Freshness(
            response: response,
            directives: directives(rules),
            rules: rules,
            requestedAt: requestedAt,
            respondedAt: respondedAt
        )
    }

    /// The head that would be stored.
    func storedHead(_ policy: CachePolicy) -> HTTPResponse {
        var fields = HopByHop.storedFields(
            of: response.headerFields,
            directives: directives(policy.rules),
            receivedAt: respondedAt
        )
        for name in policy.rules.tagFields { fields[name] = nil }
        // What it would be made of is not at hand; that there is one is what matters.
        if policy.makesEntityTags, !fields.contains(.eTag) { fields[.eTag] = "\"made-of-the-body\"" }
        return HTTPResponse(status: response.status, headerFields: fields)
    }
}
