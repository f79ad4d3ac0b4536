package import HTTPCaching
package import HTTPTypes

/// The decision whether stored responses may answer a request, as the cache makes it for each request.
package enum StoredDecision: Hashable, Sendable {
    /// A fresh response is served.
    case hit
    /// A stale response is served.
    case stale(Reuse.StaleReason)
    /// The origin is asked.
    case fetch(CacheStatus.ForwardReason)
    /// The request bypasses the cache.
    case bypass(BypassReason)
    /// The request may change something, so that the origin gets it.
    case write
}

extension ResponseCache {
    /// Returns the decision about a request, if the store had exactly these responses. Nothing is counted.
    package func decision(
        about request: HTTPRequest,
        under policy: SharedPolicy,
        among entries: [CacheEntry]
    ) -> StoredDecision {
        if let value = entries.first, value.isOfValue { return decision(aboutValue: value) }
        switch RequestDecision.decide(request, user: nil, policy: policy) {
        case .bypass(let reason): return .bypass(reason)
        case .write: return .write
        case .lookUp(let cacheable):
            switch Selection.choose(entries, for: cacheable, at: clock.now, notingUse: false) {
            case .serve: return .hit
            case .serveStale(_, let reason): return .stale(reason)
            case .fetch(let reason, _): return .fetch(reason)
            case .bypass(let reason): return .bypass(reason)
            }
        }
    }

    /// Returns the decision about a call for a value: no request has directives for it.
    private func decision(aboutValue entry: CacheEntry) -> StoredDecision {
        switch Reuse.decide(lifetimes: entry.lifetimes, request: .none, now: clock.now) {
        case .fresh: .hit
        case .stale(let reason): .stale(reason)
        case .revalidate, .unusable: .fetch(.stale)
        }
    }
}

extension CachePolicy {
    /// Returns the key of a GET of the target of a request without a user; nil if the target cannot have a key.
    package func key(of request: HTTPRequest) -> CacheKey? {
        keys.key(of: withholding(from: request), user: nil)?.key
    }

    /// Returns the keys of a GET of the target of a request, in every spelling of the target that means the same.
    package func spelledKeys(of request: HTTPRequest) -> [CacheKey] {
        var request = withholding(from: request)
        guard let target = request.path else { return [] }
        return PercentEncoding.spellings(of: target).compactMap { spelling in
            request.path = spelling
            return keys.key(of: request, user: nil)?.key
        }
    }

    /// Returns the scopes that have to be invalidated with the key of a request: those of its path, if the policy
    /// stores separate responses for different request fields; otherwise none.
    package func scopesBesideKey(of request: HTTPRequest) -> [InvalidationScope] {
        let request = withholding(from: request)
        return keys.fields.isEmpty ? [] : keys.scopes(of: request.path ?? "", for: request)
    }
}
