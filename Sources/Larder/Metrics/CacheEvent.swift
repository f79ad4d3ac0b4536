import HTTPCaching

/// An event of a cache: statistics, metrics and observers all use these.
public enum CacheEvent: Sendable {
    /// A request was answered from the store without waiting for the origin.
    case hit(CacheKey, Hit)
    /// A request looked for a stored response, and found none that could answer it without the origin.
    case miss(CacheKey, Miss)
    /// A request bypassed the cache.
    case bypassed(BypassReason)
    /// A fetched response was stored.
    case stored(CacheKey, cost: Int)
    /// The origin confirmed a stored response, which has new times now.
    case validated(CacheKey)
    /// A fetched response was not stored.
    case notStored(CacheKey, NotStoredReason)
    /// A refresh in the background failed; the stored response stays.
    case refreshFailed(CacheKey)
    /// Scopes were invalidated, and the store acknowledged it.
    case invalidated([InvalidationScope])
    /// Scopes are to be invalidated, and the store has not acknowledged it yet.
    case invalidationPending([InvalidationScope])

    /// The kind of a hit.
    public enum Hit: String, Sendable, CaseIterable {
        /// A fresh response.
        case fresh
        /// A stale response, while it is refreshed.
        case staleWhileRevalidating = "stale-while-revalidate"
        /// A stale response, because the client allows it.
        case staleAllowedByClient = "max-stale"
        /// A stale response, because the origin failed a short while ago and is not asked again yet.
        case staleAfterError = "stale-if-error"
    }

    /// The kind of a miss.
    public enum Miss: String, Sendable, CaseIterable {
        /// The request was the leader of a fetch.
        case led
        /// The request waited for another request's fetch.
        case collapsed
        /// The request got a stale response, because the origin failed.
        case staleOnError = "stale-if-error"
        /// The request got a stale response, because the origin took longer than the soft timeout.
        case staleOnTimeout = "soft-timeout"
        /// The origin failed, and there was no stale response that could be served.
        case failed
        /// The request had `only-if-cached`, and nothing was stored (504).
        case onlyIfCached = "only-if-cached"
    }
}

/// An observer of a cache's events. It is called while a request is handled: it returns at once and does not wait.
public protocol CacheObserver: Sendable {
    /// Receives an event.
    func observe(_ event: CacheEvent)
}
