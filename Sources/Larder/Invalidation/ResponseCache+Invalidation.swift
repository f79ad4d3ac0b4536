public import HTTPTypes
import Logging

extension ResponseCache {
    /// Invalidates every response of the scopes, including those that are being fetched now, and waits for the store's
    /// acknowledgement up to the store's deadline (2 s for `RedisStore`; a `MemoryStore` acknowledges at once).
    ///
    /// After ``InvalidationResult/acknowledged``, a request that starts later never gets a response that was rendered
    /// before. ``InvalidationResult/pending`` means that the invalidation is queued, and is delivered as soon as the
    /// store can be reached: it does not need to be repeated. The invalidation is carried out even if the calling task
    /// is cancelled.
    ///
    /// Fetches under way are not ended. Their responses are compared with the invalidation log when they are stored,
    /// and when they are shared with requests that wait.
    ///
    /// Call this after the change is committed: it does not affect a response that a handler renders from old data
    /// later.
    @discardableResult
    public func invalidate(_ scopes: InvalidationScope...) async -> InvalidationResult {
        await invalidate(scopes)
    }

    /// Invalidates every response of the scopes, like the function above; acknowledged at once if there are none.
    @_disfavoredOverload  // so that a wrong argument is an error about the other overload
    @discardableResult
    public func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        guard !scopes.isEmpty else { return .acknowledged }
        let result = await tasks.finish { [store] in await store.invalidate(scopes.withDependents) }
        record(result, of: scopes)
        return result
    }

    /// Removes the response under a key, with its Vary variants, and waits for the store's acknowledgement as
    /// `invalidate` does.
    /// - Returns: The number of responses that were stored, and whether their invalidation is acknowledged.
    @discardableResult
    public func remove(_ key: CacheKey) async -> RemovalResult {
        let now = clock.now
        let result = await tasks.finish { [store] in
            let removal = await store.remove(key, at: now)
            guard let dependents = key.dependents, await store.invalidate([dependents]) == .pending else {
                return removal
            }
            return RemovalResult(removed: removal.removed, invalidation: .pending)
        }
        record(result.invalidation, of: [.key(key)])
        return result
    }

    /// Returns the number of keys with a stored response that is neither expired nor invalidated.
    ///
    /// `RedisStore` counts exactly up to 10,000 keys; beyond that the number is up to a minute old. While Redis cannot
    /// be reached, it is the last known number (``isStoreAvailable``).
    public func count() async -> Int {
        await store.count(at: clock.now)
    }

    /// True if the store can be reached, as far as is known; always true for a `MemoryStore`.
    public var isStoreAvailable: Bool { store.isAvailable }

    private func record(_ result: InvalidationResult, of scopes: [InvalidationScope]) {
        switch result {
        case .acknowledged: record(.invalidated(scopes), of: nil)
        case .pending:
            record(.invalidationPending(scopes), of: nil)
            logger.debug("An invalidation is pending", metadata: ["scopes": "\(scopes.count)"])
        }
    }
}

extension ResponseCache {
    /// Removes the response to a GET for the target of a request, with its variants, as `PURGE` asks for, in every
    /// spelling of the target that means the same.
    ///
    /// If the policy stores separate responses for different request fields, those for all values are invalidated, and
    /// with them the responses for other queries of the path.
    /// - Returns: The number of responses under the key of this request, and whether everything is acknowledged.
    @discardableResult
    public func remove(_ request: HTTPRequest, under policy: CachePolicy) async -> RemovalResult {
        let keys = policy.spelledKeys(of: request)
        guard !keys.isEmpty else { return .nothing }
        let removal = await remove(keys)
        guard !policy.keys.fields.isEmpty else { return removal }
        let others = await invalidate(policy.scopesBesideKey(of: request))
        return RemovalResult(
            removed: removal.removed,
            invalidation: others == .pending ? .pending : removal.invalidation
        )
    }

    /// Removes the responses under several keys.
    /// - Returns: The number of all these responses, and whether the invalidation of every key is acknowledged.
    package func remove(_ keys: [CacheKey]) async -> RemovalResult {
        var result = RemovalResult.nothing
        for key in keys { result = result.adding(await remove(key)) }
        return result
    }
}
