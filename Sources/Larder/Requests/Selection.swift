import HTTPCaching
import HTTPTypes

/// The choice that is made for a request among the responses that the store found.
enum Selection {
    /// A fresh response.
    case serve(CacheEntry)
    /// A stale response that may be served.
    case serveStale(CacheEntry, Reuse.StaleReason)
    /// The origin has to be asked. `stored` is the stored response to validate, or to serve if the origin fails.
    case fetch(CacheStatus.ForwardReason, stored: CacheEntry?)
    /// The request bypasses the cache, because of the fields that the stored responses vary by.
    case bypass(BypassReason)

    /// Chooses among the variants found, the newest first.
    /// - Parameters:
    ///   - rules: The fields that each variant under the key varies by; nil if `entries` has all variants of the key.
    ///   - notingUse: True if the choice is a use of the response, which counts when variants are evicted.
    static func choose(
        _ entries: [CacheEntry],
        of rules: [VaryRule]? = nil,
        for cacheable: CacheableRequest,
        at now: Timestamp,
        notingUse: Bool = true
    ) -> Selection {
        guard let entry = match(among: entries, for: cacheable) else {
            let fields = cacheable.request.selectableFields
            let rules = rules ?? entries.map(\.vary)
            // The response would vary by an altered value, which does not distinguish this request from others.
            if !cacheable.directives.onlyIfCached,
                rules.contains(where: { AlteredBytes.occur(in: fields, nominatedBy: $0) })
            {
                return .bypass(.alteredBytes)
            }
            // If no variant has `Vary`, those found do not answer the request for another reason, such as their coding:
            // the miss counts as one of the URI (RFC 9211 §2.2).
            return .fetch(rules.contains { $0 != .nothing } ? .varyMiss : .uriMiss, stored: nil)
        }
        if notingUse { noteUse(of: entry, among: entries, of: rules) }
        switch Reuse.decide(lifetimes: entry.lifetimes, request: cacheable.directives, now: now) {
        case .fresh: return .serve(entry)
        case .stale(let reason): return .serveStale(entry, reason)
        case .revalidate(.expired), .revalidate(.responseNoCache): return .fetch(.stale, stored: entry)
        case .revalidate(.requestNoCache), .revalidate(.requestMaxAge), .revalidate(.requestMinFresh):
            return .fetch(.request, stored: entry)
        case .unusable: return .fetch(.uriMiss, stored: nil)
        }
    }

    /// Marks the entry as used, unless it was the last of its key to be used. Repeated hits on the same variant need no
    /// mark: only the order of the last uses counts.
    private static func noteUse(of entry: CacheEntry, among entries: [CacheEntry], of rules: [VaryRule]?) {
        if let rules, rules.count > entries.count {
            entry.markUsed()
        } else if entries.count > 1, entries.contains(where: { $0 !== entry && $0.usedAt >= entry.usedAt }) {
            entry.markUsed()
        }
    }

    /// Returns the entry that may answer a request; nil if none may.
    ///
    /// "When more than one suitable response is stored, a cache MUST use the most recent one (as determined by the Date
    /// header field)." (RFC 9111 §4) And: "When a cache has multiple stored responses for a target URI and one or more
    /// omits the Vary header field, the cache SHOULD choose the most recent (see Section 4.2.3) stored response with a
    /// valid Vary field value." (RFC 9111 §4.1)
    private static func match(among entries: [CacheEntry], for cacheable: CacheableRequest) -> CacheEntry? {
        if entries.count == 1 { return cacheable.mayUse(entries[0]) ? entries[0] : nil }
        let selectable = cacheable.request.selectableFields
        var fallback: CacheEntry?
        // The request's values of the fields of a rule are determined once for all entries with that rule.
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

    /// Returns true if a stored response matches the request, and if the request's policy would have stored it.
    func mayUse(_ entry: CacheEntry) -> Bool {
        entry.matches(request) && policy.mayShare(entry)
    }
}

extension CachePolicy {
    /// Returns true if the policy would have stored a response that is stored under one of its keys.
    ///
    /// A cache around a whole application shares keys with its routes: a response that a route stores behind its
    /// authentication must not be served to requests that have not been authenticated.
    func mayShare(_ entry: CacheEntry) -> Bool {
        guard rules.requiresExplicitPermission else { return true }
        let directives = ResponseDirectives(entry.head.headerFields, targets: rules.targetedFields)
        return directives.isPublic || directives.sMaxAge != nil
    }
}

extension CacheEntry {
    /// Returns true if a request with matching selecting fields may get the response without asking the origin again.
    func mayBeReused(for cacheable: CacheableRequest, at now: Timestamp) -> Bool {
        switch Reuse.decide(lifetimes: lifetimes, request: cacheable.directives, now: now) {
        case .fresh, .stale: true
        case .revalidate, .unusable: false
        }
    }

    /// Returns true if the times and directives of the response, and the directives of a request, allow serving it
    /// after the origin failed, with this status or without any.
    func mayBeServed(to cacheable: CacheableRequest, afterFailure status: Int?, at now: Timestamp) -> Bool {
        Reuse.mayServeOnError(
            lifetimes: lifetimes,
            request: cacheable.directives,
            now: now,
            failure: status.map(Reuse.Failure.status) ?? .unreachable
        )
    }
}
