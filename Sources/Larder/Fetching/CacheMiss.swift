import HTTPCaching
import HTTPTypes

/// A request that the store has no usable response for, and everything needed to ask the origin for it.
struct CacheMiss<O: Origin>: Sendable {
    let cacheable: CacheableRequest
    let origin: O
    /// The reason why the store did not answer.
    let reason: CacheStatus.ForwardReason
    /// The stored response that has to be validated, or served if the origin fails; nil if there is none.
    let stored: CacheEntry?
    let snapshot: LookupSnapshot
    /// The fetches that the request is made in.
    let frames: [FetchContext.Frame]
    /// The number of fetches for the key among them.
    let level: Int
    /// True if responses to such a request were not storable lately, so that waiting for one is of no use.
    let isUncacheable: Bool

    var leveledKey: LeveledKey { LeveledKey(key: cacheable.location.key, level: level) }

    /// True if the request demands a response newer than what is stored or being fetched.
    var isDemand: Bool {
        reason == .request || cacheable.directives.noCache || cacheable.directives.maxAge == .zero
    }

    /// True if the request can share a fetch with other requests. Requests that can never share do not wait.
    var isSharable: Bool {
        if isUncacheable || isDemand && cacheable.policy.clientDirectives != .coalesce { return false }
        return stored?.lifetimes.mayAnswerOthers != false
    }

    /// True if the response of a fetch can be stored, and so is of use after this request has left.
    var mayFillCache: Bool { !isUncacheable && !cacheable.directives.noStore }

    /// The reason why the request bypasses the cache, since nothing is stored for it; nil if it does not bypass it.
    var bypassReason: BypassReason? {
        guard stored == nil else { return nil }
        // If responses are not stored, the whole response is not needed: the origin answers the client's conditions and
        // range.
        if isUncacheable, cacheable.hasRange || cacheable.isConditional { return .uncacheable }
        return cacheable.bypassOnMiss
    }

    /// True if the client wants a head, and a server is asked only for it. Other HEAD requests can share it.
    var isForHeadAlone: Bool { cacheable.isHead && cacheable.policy.originKind == .server }

    /// Returns the key of the flight for the request, as far as the stored variants show it.
    /// - Parameters:
    ///   - variant: A variant that was fetched meanwhile and is not stored.
    ///   - isRefresh: True if the origin is asked for the whole response even if the request is a HEAD.
    func flightKey(like variant: CacheEntry?, isRefresh: Bool = false) -> FlightKey {
        var selecting = SelectingFields.none
        // A response without `Vary` does not show how the variants with one differ.
        let rules = [variant?.vary].compactMap(\.self) + snapshot.lookup.rules
        if let vary = rules.first(where: { $0 != .nothing }) {
            selecting = vary.selectingFields(of: cacheable.request.selectableFields) ?? .none
        }
        return FlightKey(
            key: cacheable.location.key,
            selecting: selecting,
            level: level,
            isDemand: isDemand,
            isForHead: isForHeadAlone && !isRefresh
        )
    }

    /// Returns the time for which the request waits for the origin while a stale response is at hand; nil if it waits
    /// until the origin has answered.
    ///
    /// A stale response may be served before the origin has failed only if the response or its route allows it: never
    /// with `must-revalidate`, `no-cache`, `proxy-revalidate` or `s-maxage` (RFC 9111 §4.2.4).
    func softTimeout(at now: Timestamp) -> Duration? {
        guard let stored, !isDemand, !stored.lifetimes.mustRevalidate, let timeout = cacheable.policy.softTimeout,
            // A longer wait is treated as a 504.
            stored.mayBeServed(to: cacheable, afterFailure: 504, at: now)
        else { return nil }
        return timeout
    }
}

extension Serving {
    /// Returns the response to a request that missed, from an entry.
    /// - Parameters:
    ///   - collapsed: True if the entry is the result of another request's fetch.
    ///   - received: The fields that the origin sent for this very request; nil if it sent none.
    func answer<O: Origin>(
        _ entry: CacheEntry,
        to miss: CacheMiss<O>,
        at now: Timestamp,
        _ source: FlightOutcome.Source,
        collapsed: Bool = false,
        received: HTTPFields? = nil
    ) -> O.Response {
        let outcome = source.outcome(miss.reason, collapsed: collapsed)
        return O.Response(
            answer(
                entry,
                to: miss.cacheable,
                at: now,
                outcome,
                in: miss.frames,
                detail: source.detail,
                received: received
            )
        )
    }

    /// Returns a head of the origin as a request that missed gets it.
    /// - Parameters:
    ///   - status: The status of the origin's response; nil if it is that of the head.
    ///   - notStored: The reason why the response is not stored; nil if it may be stored.
    func head<O: Origin>(
        _ head: HTTPResponse,
        for miss: CacheMiss<O>,
        at now: Timestamp,
        forwarded status: HTTPResponse.Status? = nil,
        because notStored: NotStoredReason? = nil
    ) -> ServedHead {
        self.head(
            head,
            .forwarded(miss.reason, status: (status ?? head.status).code),
            in: miss.frames,
            detail: notStored?.detail,
            policy: miss.cacheable.policy,
            isPersonal: miss.cacheable.isPersonal || notStored != nil,
            at: now
        )
    }
}
