/// The decision to answer a request from a stored response or not (RFC 9111 §4).
public enum Reuse: Hashable, Sendable {
    /// The reason why a stale response may be served.
    public enum StaleReason: String, Hashable, Sendable, CaseIterable {
        /// The stored response allows it, and has to be refreshed in the background (RFC 5861 §3).
        case whileRevalidating = "stale-while-revalidate"
        /// The client allows it (RFC 9111 §5.2.1.2).
        case clientAllows = "max-stale"
    }

    /// The reason why the origin has to be asked first.
    public enum RevalidateReason: String, Hashable, Sendable, CaseIterable {
        /// The stored response is stale.
        case expired
        /// The request has `no-cache`.
        case requestNoCache = "request-no-cache"
        /// The stored response has `no-cache`.
        case responseNoCache = "response-no-cache"
        /// The stored response is older than the request allows.
        case requestMaxAge = "request-max-age"
        /// The stored response does not stay fresh for as long as the request requires.
        case requestMinFresh = "request-min-fresh"
    }

    /// The way in which the origin failed.
    public enum Failure: Hashable, Sendable {
        /// The origin sent no response, or an incomplete one.
        case unreachable
        /// The origin sent a response with this status code.
        case status(Int)
    }

    /// The stored response is fresh and may be served.
    case fresh
    /// The stored response is stale and may be served, for this reason.
    case stale(StaleReason)
    /// The origin has to be asked first, with a conditional request if the stored response has a validator.
    case revalidate(RevalidateReason)
    /// The stored response has expired, and is treated as if it were not stored.
    case unusable

    /// Decides for a stored response whose selecting fields match. This runs for every hit, and only compares.
    ///
    /// A request with `onlyIfCached` gets the same decision. If the decision is to ask the origin, the caller answers
    /// with a 504 (RFC 9111 §5.2.1.7).
    public static func decide(lifetimes: Lifetimes, request: RequestDirectives, now: Timestamp) -> Reuse {
        guard now < lifetimes.storedUntil else { return .unusable }
        // "The no-cache request directive indicates that the client prefers a stored response not be used to satisfy
        // the request without successful validation on the origin server."
        if request.noCache { return .revalidate(.requestNoCache) }
        // "The stored response does not contain the no-cache directive, unless it is successfully validated."
        if lifetimes.alwaysRevalidate { return .revalidate(.responseNoCache) }
        // response_is_fresh = (freshness_lifetime > current_age)
        return now < lifetimes.freshUntil
            ? whileFresh(lifetimes, request, now) : whileStale(lifetimes, request, now)
    }

    private static func whileFresh(_ lifetimes: Lifetimes, _ request: RequestDirectives, _ now: Timestamp) -> Reuse {
        // "Proxies SHOULD skip conditionally revalidating fresh responses containing the immutable extension unless
        // there is a signal from the client that a validation is necessary (e.g., a no-cache Cache-Control request
        // directive)" (RFC 8246 §2.1). The extension is meant to ignore max-age=0, which browsers send on reload.
        if let maxAge = request.maxAge, !lifetimes.isImmutable, isOlder(lifetimes, than: maxAge, now) {
            return .revalidate(.requestMaxAge)
        }
        // "The client wants a response that will still be fresh for at least the specified number of seconds."
        if let minFresh = request.minFresh, lifetimes.freshUntil.duration(since: now) < minFresh {
            return .revalidate(.requestMinFresh)
        }
        return .fresh
    }

    private static func whileStale(_ lifetimes: Lifetimes, _ request: RequestDirectives, _ now: Timestamp) -> Reuse {
        if request.minFresh != nil { return .revalidate(.expired) }
        if let maxAge = request.maxAge {
            // "Unless the max-stale request directive is also present, the client does not wish to receive a stale
            // response."
            guard request.maxStale != nil else { return .revalidate(.expired) }
            if isOlder(lifetimes, than: maxAge, now) { return .revalidate(.requestMaxAge) }
        }
        // "The client is willing to accept a response that has exceeded its freshness lifetime by no more than the
        // specified number of seconds": the limit also holds if the response itself would allow more.
        if case .atMost(let limit) = request.maxStale, now.duration(since: lifetimes.freshUntil) > limit {
            return .revalidate(.expired)
        }
        if now < lifetimes.staleWhileRevalidateUntil { return .stale(.whileRevalidating) }
        if request.maxStale != nil, !lifetimes.mustRevalidate { return .stale(.clientAllows) }
        return .revalidate(.expired)
    }

    /// Returns true if the response is too old: "The client prefers a response whose age is less than or equal to the
    /// specified number of seconds." Zero requires validation even if the response was made at this moment.
    private static func isOlder(_ lifetimes: Lifetimes, than maxAge: Duration, _ now: Timestamp) -> Bool {
        maxAge == .zero || now.duration(since: lifetimes.generatedAt) > maxAge
    }

    /// Returns true if a stored response that should have been validated may be served because the origin failed: "A
    /// cache MUST NOT generate a stale response unless it is disconnected or doing so is explicitly permitted by the
    /// client or origin server" (RFC 9111 §4.2.4).
    ///
    /// If it may not be served, the request gets the origin's error, or a 504 if the origin sent none: "if a cache is
    /// disconnected, the cache MUST generate an error response rather than reuse the stale response" (§5.2.2.2).
    public static func mayServeOnError(
        lifetimes: Lifetimes,
        request: RequestDirectives,
        now: Timestamp,
        failure: Failure
    ) -> Bool {
        // A max-age does not prevent stale use if the origin fails; a no-cache forbids an old response in any case.
        guard now < lifetimes.storedUntil, !request.noCache, !lifetimes.alwaysRevalidate else { return false }
        switch failure {
        case .unreachable:
            if now < lifetimes.staleIfUnreachableUntil { return true }
        case .status(let code):
            // "An error is any situation that would result in a 500, 502, 503, or 504 HTTP response status code being
            // returned." (RFC 5861 §4)
            guard [500, 502, 503, 504].contains(code) else { return false }
        }
        if now < lifetimes.staleIfErrorUntil { return true }
        guard let allowed = request.staleIfError, !lifetimes.mustRevalidate else { return false }
        return now.duration(since: lifetimes.freshUntil) <= allowed
    }
}
