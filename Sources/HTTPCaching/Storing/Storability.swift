public import HTTPTypes

/// The reason why the rules forbid storing a response.
public enum NotStorableReason: String, Hashable, Sendable, CaseIterable {
    /// The method is not GET. Only responses to GET are stored; those to HEAD are made from them.
    case method
    /// The request has `no-store`.
    case requestNoStore = "request-no-store"
    /// The status is not final, or the rules do not store it.
    case status
    /// The response answers a range or a condition and is not the whole: 206, 304, 412, 416.
    case partial
    /// The response has `must-understand`, and its status code is not understood.
    case notUnderstood = "not-understood"
    /// The response has `no-store`.
    case noStore = "no-store"
    /// The response has `private`.
    case `private`
    /// The request had credentials, and the response does not allow sharing.
    case authorization
    /// The response sets a cookie.
    case setCookie = "set-cookie"
    /// The response has `Vary: *`, or a `Vary` that cannot be read.
    case varyStar = "vary-star"
    /// The rules require `public` or `s-maxage`, and the response has neither.
    case notPublic = "not-public"
    /// The response has `no-cache` and no validator.
    case noCache = "no-cache"
    /// The response has neither lifetime nor validator, its status needs a lifetime, or it would expire at once.
    case noFreshness = "no-freshness"
    /// The request does not accept the content coding of the response, so that no other request would match.
    case unacceptedCoding = "unaccepted-coding"
    /// A library has altered a value in the head of the response: the value holds U+FFFD.
    case alteredBytes = "altered-bytes"
    /// A library has altered a request value that `Vary` names: the value holds U+FFFD, and does not distinguish
    /// requests.
    case requestAlteredBytes = "request-altered-bytes"
    /// The response is an event stream, which does not end.
    case eventStream = "event-stream"

    /// The token of the reason in `Cache-Status` (RFC 9211 §2.8).
    public var detail: String { rawValue }
}

/// The decision to store a response, with its lifetimes, or not to store it (RFC 9111 §3).
public enum Storability: Hashable, Sendable {
    /// The response may be stored, with these lifetimes.
    case store(Lifetimes)
    /// The response may not be stored, for this reason.
    case notStorable(NotStorableReason)

    /// Decides for the response to a request that was sent at `requestedAt`; its head arrived at `respondedAt`.
    ///
    /// The response is the one that the origin sent, before hop-by-hop fields are removed: a `Connection` that names
    /// `Cache-Control` must not remove a `no-store`.
    public static func decide(
        request: HTTPRequest,
        response: HTTPResponse,
        rules: CachingRules,
        requestedAt: Timestamp,
        respondedAt: Timestamp
    ) -> Storability {
        decide(
            request: request,
            response: response,
            directives: ResponseDirectives(response.headerFields, targets: rules.targetedFields),
            rules: rules,
            requestedAt: requestedAt,
            respondedAt: respondedAt
        )
    }

    /// Decides like the function above, for directives of the response that are parsed already.
    public static func decide(
        request: HTTPRequest,
        response: HTTPResponse,
        directives: ResponseDirectives,
        rules: CachingRules,
        requestedAt: Timestamp,
        respondedAt: Timestamp
    ) -> Storability {
        if let reason = reason(byStatus: response.status, of: request, directives, rules) {
            return .notStorable(reason)
        }
        if let reason = reason(bySharing: response.headerFields, with: request, directives, rules) {
            return .notStorable(reason)
        }
        if AlteredBytes.occur(in: response) { return .notStorable(.alteredBytes) }
        let lifetimes = Freshness(
            response: response,
            directives: directives,
            rules: rules,
            requestedAt: requestedAt,
            respondedAt: respondedAt
        ).lifetimes
        let hasValidator = Revalidation.hasValidator(response.headerFields)
        if lifetimes.alwaysRevalidate, !hasValidator { return .notStorable(.noCache) }
        // "The response contains at least one of the following: a public response directive; [...] an Expires header
        // field; a max-age response directive; [...] an s-maxage response directive; [...] or a status code that is
        // defined as heuristically cacheable." A response without freshness, stale window and validator could not be
        // reused: origins send such responses to say "do not cache".
        let isOfUse = hasValidator || lifetimes.freshUntil > lifetimes.generatedAt || lifetimes.hasStaleWindow
        let isAllowed = lifetimes.source != .none || Status.allowsHeuristics(response.status, directives)
        guard isOfUse, isAllowed, lifetimes.storedUntil > respondedAt else { return .notStorable(.noFreshness) }
        return .store(lifetimes)
    }

    /// Returns the condition of RFC 9111 §3 on method, status and `no-store` that does not hold, or nil if all hold.
    private static func reason(
        byStatus status: HTTPResponse.Status,
        of request: HTTPRequest,
        _ directives: ResponseDirectives,
        _ rules: CachingRules
    ) -> NotStorableReason? {
        // "The request method is understood by the cache."
        guard request.method == .get else { return .method }
        // "The response status code is final."
        guard (200...599).contains(status.code) else { return .status }
        // "If the response status code is 206 or 304 [...]: the cache understands the response status code." This cache
        // does not combine parts. Responses with 412 and 416 answer a condition or a range, which a later request need
        // not have.
        if [206, 304, 412, 416].contains(status.code) { return .partial }
        if let lifetime = rules.lifetimes[status.code], lifetime <= .zero { return .status }
        if rules.storableStatuses == .ok, status.code != 200, rules.lifetimes[status.code] == nil { return .status }
        if directives.mustUnderstand {
            // "A cache that implements the must-understand directive [...] SHOULD ignore the no-store directive if it
            // understands and implements the status code's caching requirements." (RFC 9111 §5.2.2.3)
            return Status.isUnderstood(status) ? nil : .notUnderstood
        }
        // "The no-store cache directive is not present in the response."
        return directives.noStore ? .noStore : nil
    }

    /// Returns the condition on sharing, or on what this cache requires beyond the RFC, that does not hold, or nil if
    /// all hold.
    private static func reason(
        bySharing response: HTTPFields,
        with request: HTTPRequest,
        _ directives: ResponseDirectives,
        _ rules: CachingRules
    ) -> NotStorableReason? {
        // "The no-store request directive indicates that a cache MUST NOT store any part of either this request or any
        // response to it." (RFC 9111 §5.2.1.5)
        if RequestDirectives(request.headerFields).noStore { return .requestNoStore }
        // "If the cache is shared: the private response directive is either not present or allows a shared cache to
        // store a modified response."
        if directives.privacy == .response { return .private }
        if rules.requiresExplicitPermission, !directives.isPublic, directives.sMaxAge == nil { return .notPublic }
        // "If the cache is shared: the Authorization header field is not present in the request [...] or a response
        // directive is present that explicitly allows shared caching." "In this specification, the following response
        // directives have such an effect: must-revalidate, public, and s-maxage." (RFC 9111 §3.5) Other fields that are
        // credentials are treated alike, though the RFC leaves them to origins.
        if !rules.allowsAuthorization, !directives.mustRevalidate, !directives.isPublic, directives.sMaxAge == nil,
            !rules.credentials(in: request.headerFields).isEmpty
        {
            return .authorization
        }
        // RFC 9111 §7.3 leaves it to origins to forbid the sharing of cookies, and many do not. A cookie that `private`
        // or `no-cache` names is not stored and does no harm.
        if response.contains(.setCookie), !rules.allowsSetCookie, !directives.withheldFields.contains(.setCookie) {
            return .setCookie
        }
        let variant = VariantRule(response)
        if variant.vary == .everything { return .varyStar }
        let selectable = request.selectableFields
        if AlteredBytes.occur(in: selectable, nominatedBy: variant.vary) { return .requestAlteredBytes }
        if !variant.isAcceptable(to: selectable) { return .unacceptedCoding }
        if let type = response[.contentType], isEventStream(type) { return .eventStream }
        return nil
    }

    private static func isEventStream(_ contentType: String) -> Bool {
        let type = contentType.utf8.prefix { $0 != ASCII.semicolon }
        return Substring(type.trimmingWhitespace).equalsIgnoringCase("text/event-stream")
    }
}

extension HTTPResponse.Status {
    /// True if another request for the same target is likely to get another status: a client error, except those that
    /// describe the resource (404, 405, 410, 451) or the target (414).
    package var isDueToRequest: Bool { kind == .clientError && ![404, 405, 410, 414, 451].contains(code) }

    /// True if the rules limit the freshness of a response with this status: it is a server error, or an error that is
    /// due to the request.
    package var isErrorOfLimitedFreshness: Bool { kind == .serverError || isDueToRequest }
}

/// The properties of status codes that matter to caching (RFC 9110 §15).
enum Status {
    /// Returns true if the caching requirements of a status code are known: those of RFC 9110 are.
    static func isUnderstood(_ status: HTTPResponse.Status) -> Bool {
        switch status.code {
        case 200...205, 300...303, 305, 307, 308, 400...411, 413...415, 417, 421, 422, 426, 500...505: true
        default: false
        }
    }

    /// Returns true if a freshness lifetime may be assigned to a response that does not declare one: "heuristics can
    /// only be used on responses without explicit freshness whose status codes are defined as heuristically cacheable,
    /// and on responses without explicit freshness that have been marked as explicitly cacheable (e.g., with a public
    /// response directive)" (RFC 9111 §4.2.2).
    static func allowsHeuristics(_ status: HTTPResponse.Status, _ directives: ResponseDirectives) -> Bool {
        switch status.code {
        case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501: true
        default: directives.isPublic
        }
    }
}
