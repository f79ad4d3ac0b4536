import HTTPCaching
public import HTTPTypes
import Logging

extension Cache {
    /// Kills every response that one of the covers covers, with all that is being fetched now. When this returns,
    /// nothing rendered before is served to a request that starts after.
    ///
    /// Call it after the change is committed: what a handler renders from old data after this is not seen by it.
    /// - Throws: `InvalidationError` where the store did not confirm it; it is queued then.
    public func invalidate(_ covers: Cover...) async throws {
        try await invalidate(covers)
    }

    /// Kills every response that one of the covers covers.
    /// - Throws: `InvalidationError` where the store did not confirm it; it is queued then.
    public func invalidate(_ covers: [Cover]) async throws {
        guard !covers.isEmpty else { return }
        do {
            try await store.invalidate(covers)
            record(.invalidated(covers))
        } catch {
            record(.invalidationPending(covers))
            logger.debug("An invalidation is pending", metadata: ["error": "\(error)"])
            throw error
        }
    }

    /// Kills the response under a key, with its Vary variants.
    /// - Returns: whether there was one.
    /// - Throws: `InvalidationError` where the store did not confirm it; it is queued then.
    @discardableResult
    public func remove(_ key: CacheKey) async throws -> Bool {
        do {
            let wasKept = try await store.remove(key, at: clock.now)
            record(.invalidated([.key(key)]))
            return wasKept
        } catch {
            record(.invalidationPending([.key(key)]))
            throw error
        }
    }

    /// The number of keys under which a response is kept: neither expired nor invalidated.
    public func count() async -> Int {
        await store.count(at: clock.now)
    }
}

extension Cache {
    /// Kills the response to a GET for the target of a request, with its variants: what `PURGE` asks for.
    ///
    /// Where the policy keeps responses apart by request fields, those of all values are killed, and with them the
    /// path's other queries.
    /// - Returns: whether there was one under the key of this request.
    /// - Throws: `InvalidationError` where the store did not confirm it; it is queued then.
    @discardableResult
    public func remove(_ request: HTTPRequest, under policy: CachePolicy) async throws -> Bool {
        let request = policy.withholding(from: request)
        guard let result = policy.keys.key(of: request, user: nil), let target = request.path else { return false }
        let wasKept = try await remove(result.key)
        if !policy.keys.fields.isEmpty { try await invalidate(policy.keys.covers(of: target, for: request)) }
        return wasKept
    }
}
