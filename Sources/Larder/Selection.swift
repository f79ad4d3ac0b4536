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

    /// Chooses among the variants found, the newest first.
    static func choose(_ entries: [CacheEntry], for inquiry: Inquiry, at now: Timestamp) -> Selection {
        // RFC 9111 §4.1: "If multiple stored responses match, the cache will need to choose one to use. […] the most
        // recent".
        guard let entry = entries.first(where: inquiry.mayUse) else {
            return .ask(entries.isEmpty ? .uriMiss : .varyMiss, kept: nil)
        }
        switch Reuse.decide(lifetimes: entry.lifetimes, request: inquiry.directives, now: now) {
        case .fresh: return .serve(entry)
        case .stale(let reason): return .serveStale(entry, reason)
        case .revalidate(.expired), .revalidate(.responseNoCache): return .ask(.stale, kept: entry)
        case .revalidate(.requestNoCache), .revalidate(.requestMaxAge), .revalidate(.requestMinFresh):
            return .ask(.request, kept: entry)
        case .unusable: return .ask(.uriMiss, kept: nil)
        }
    }
}

extension Inquiry {
    /// Whether a stored response matches the request, and is one that its policy would have stored.
    ///
    /// A cache around a whole application has the keys of its routes: what a route stores behind its authentication is
    /// not for those who have not passed it.
    func mayUse(_ entry: CacheEntry) -> Bool {
        guard entry.matches(request) else { return false }
        guard policy.rules.requiresExplicitPermission else { return true }
        let directives = ResponseDirectives(entry.head.headerFields, targets: policy.rules.targetedFields)
        return directives.isPublic || directives.sMaxAge != nil
    }
}

extension CacheEntry {
    /// Whether a request whose selecting fields match may have it without the origin being asked again.
    func mayBeReused(for inquiry: Inquiry, at now: Timestamp) -> Bool {
        switch Reuse.decide(lifetimes: lifetimes, request: inquiry.directives, now: now) {
        case .fresh, .stale: true
        case .revalidate, .unusable: false
        }
    }

    /// Whether its times and directives, and those of a request, allow to serve it where the origin failed: with this
    /// status, or without any.
    func mayBeServed(to inquiry: Inquiry, afterFailure status: Int?, at now: Timestamp) -> Bool {
        Reuse.mayServeOnError(
            lifetimes: lifetimes,
            request: inquiry.directives,
            now: now,
            failure: status.map(Reuse.Failure.status) ?? .unreachable
        )
    }
}
