import HTTPCaching

/// Something the cache did: the one vocabulary of its statistics, metrics and observers.
public enum CacheEvent: Sendable {
    /// A request was answered from the store without waiting for the origin.
    case hit(CacheKey, Hit)
    /// A request looked for an answer, found none, and waited for the origin.
    case miss(CacheKey, Miss)
    /// A request passed the cache by.
    case bypassed(BypassReason)
    /// A fetched response was stored.
    case stored(CacheKey, cost: Int)
    /// What is kept was confirmed by the origin, and dated anew.
    case validated(CacheKey)
    /// A fetched response was not stored.
    case notStored(CacheKey, NotStoredReason)
    /// A refresh in the background failed; what is kept stays.
    case refreshFailed(CacheKey)
    /// Something was invalidated.
    case invalidated([InvalidationScope])
    /// Something is to be invalidated, and the store did not confirm it (yet).
    case invalidationPending([InvalidationScope])

    /// What kind of hit.
    public enum Hit: String, Sendable, CaseIterable {
        /// A fresh response.
        case fresh
        /// A stale one, while it is refreshed or because the client allows it.
        case stale
    }

    /// What kind of miss.
    public enum Miss: String, Sendable, CaseIterable {
        /// The request fetched.
        case led
        /// The request waited for what another one fetched.
        case collapsed
        /// The request got what is kept, because the origin failed.
        case staleOnError = "stale-on-error"
        /// The request wanted only what is stored, and nothing is (504).
        case onlyIfCached = "only-if-cached"
    }
}

/// Is told what a cache does. Called on the path of requests: an observer returns at once and does not wait.
public protocol CacheObserver: Sendable {
    /// Something happened.
    func observe(_ event: CacheEvent)
}
