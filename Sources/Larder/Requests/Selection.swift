import HTTPCaching
import HTTPTypes

/// What a request gets of what the store found.
enum Selection {
    /// A fresh response.
    case serve(CacheEntry)
    /// A stale one, which may be served all the same.
    case serveStale(CacheEntry, Reuse.StaleReason)
    /// The origin has to be asked. What is kept is at hand for when it fails.
    case ask(CacheStatus.ForwardReason, kept: CacheEntry?)
    /// The request bypasses the cache: what is stored shows that it has to.
    case bypass(BypassReason)

    /// Chooses among the variants found, the newest first.
    /// - Parameter rules: what all variants under the key vary by; nil if the entries are all there are.
    static func choose(
        _ entries: [CacheEntry],
        of rules: [VaryRule]? = nil,
        for cacheable: CacheableRequest,
        at now: Timestamp
    ) -> Selection {
        guard let entry = match(among: entries, for: cacheable) else {
            let fields = cacheable.request.selectableFields
            let rules = rules ?? entries.map(\.vary)
            // The response to such a request varies by a value that tells it apart from no other.
            if !cacheable.directives.onlyIfCached,
                rules.contains(where: { AlteredBytes.stand(in: fields, nominatedBy: $0) })
            {
                return .bypass(.alteredBytes)
            }
            // A variant that varies by nothing would have answered the request: it was invalidated.
            return .ask(rules.contains { $0 != .nothing } ? .varyMiss : .uriMiss, kept: nil)
        }
        // Hits on one variant after the other need no mark each: only the order counts.
        if let rules, rules.count > entries.count {
            entry.markUsed()
        } else if entries.count > 1, entries.contains(where: { $0 !== entry && $0.usedAt >= entry.usedAt }) {
            entry.markUsed()
        }
        switch Reuse.decide(lifetimes: entry.lifetimes, request: cacheable.directives, now: now) {
        case .fresh: return .serve(entry)
        case .stale(let reason): return .serveStale(entry, reason)
        case .revalidate(.expired), .revalidate(.responseNoCache): return .ask(.stale, kept: entry)
        case .revalidate(.requestNoCache), .revalidate(.requestMaxAge), .revalidate(.requestMinFresh):
            return .ask(.request, kept: entry)
        case .unusable: return .ask(.uriMiss, kept: nil)
        }
    }

    /// Returns the entry that answers a request, if one may.
    ///
    /// "When more than one suitable response is stored, a cache MUST use the most recent one (as determined by the Date
    /// header field)." (RFC 9111 §4) And: "When a cache has multiple stored responses for a target URI and one or more
    /// omits the Vary header field, the cache SHOULD choose the most recent (see Section 4.2.3) stored response with a
    /// valid Vary field value." (RFC 9111 §4.1)
    private static func match(among entries: [CacheEntry], for cacheable: CacheableRequest) -> CacheEntry? {
        if entries.count == 1 { return cacheable.mayUse(entries[0]) ? entries[0] : nil }
        let selectable = cacheable.request.selectableFields
        var fallback: CacheEntry?
        // What the request has in the fields of a rule is worked out once for all the entries of that rule.
        var known: [(variant: VariantRule, fields: SelectingFields?)] = []
        for entry in entries where (fallback == nil || entry.vary != .nothing) && cacheable.policy.mayShare(entry) {
            let variant = entry.variant
            let place =
                known.firstIndex {
                    $0.variant.vary == variant.vary
                        && $0.variant.ignoresUnknownCodings == variant.ignoresUnknownCodings
                } ?? known.count
            if place == known.count { known.append((variant, variant.fields(of: selectable))) }
            guard variant.matches(selectable, having: known[place].fields, stored: entry.selectingFields) else {
                continue
            }
            if entry.vary != .nothing { return entry }
            fallback = entry
        }
        return fallback
    }
}

extension CacheableRequest {
    /// The part of the request that a store may need to choose a variant.
    var query: VariantQuery {
        VariantQuery(fields: request.selectableFields) { self.mayUse($0) }
    }

    /// Returns true if a stored response matches the request, and is one that its policy would have stored.
    func mayUse(_ entry: CacheEntry) -> Bool {
        entry.matches(request) && policy.mayShare(entry)
    }
}

extension CachePolicy {
    /// Returns true if the policy would have stored a response that is stored under one of its keys.
    ///
    /// A cache around a whole application has the keys of its routes: what a route stores behind its authentication is
    /// not for those who have not passed it.
    func mayShare(_ entry: CacheEntry) -> Bool {
        guard rules.requiresExplicitPermission else { return true }
        let directives = ResponseDirectives(entry.head.headerFields, targets: rules.targetedFields)
        return directives.isPublic || directives.sMaxAge != nil
    }
}

extension CacheEntry {
    /// Whether a request whose selecting fields match may have it without the origin being asked again.
    func mayBeReused(for cacheable: CacheableRequest, at now: Timestamp) -> Bool {
        switch Reuse.decide(lifetimes: lifetimes, request: cacheable.directives, now: now) {
        case .fresh, .stale: true
        case .revalidate, .unusable: false
        }
    }

    /// Whether its times and directives, and those of a request, allow to serve it where the origin failed: with this
    /// status, or without any.
    func mayBeServed(to cacheable: CacheableRequest, afterFailure status: Int?, at now: Timestamp) -> Bool {
        Reuse.mayServeOnError(
            lifetimes: lifetimes,
            request: cacheable.directives,
            now: now,
            failure: status.map(Reuse.Failure.status) ?? .unreachable
        )
    }
}
