import Logging
import NIOConcurrencyHelpers

/// Invalidations that are collected while a change is made, and carried out when it is committed.
public final class CommittedInvalidations: Sendable {
    private struct State {
        var scopes: [InvalidationScope] = []
        var phase = Phase.collecting
    }

    private enum Phase {
        case collecting
        case committed
        case abandoned
    }

    private let state = NIOLockedValueBox(State())
    /// Invalidates the scopes that are added too late.
    private let invalidate: @Sendable ([InvalidationScope]) -> Void

    init(afterCommit invalidate: @escaping @Sendable ([InvalidationScope]) -> Void) { self.invalidate = invalidate }

    /// Adds scopes that are invalidated when the closure has returned.
    ///
    /// A scope that is added after that, by a task that the closure did not wait for, is invalidated at once in the
    /// background, and a warning is logged: the change may be visible before it is.
    public func add(_ scopes: InvalidationScope...) { add(scopes) }

    /// Adds scopes that are invalidated when the closure has returned, like the function above.
    @_disfavoredOverload  // so that a wrong argument is an error about the other overload
    public func add(_ scopes: [InvalidationScope]) {
        let isLate = state.withLockedValue { state in
            if state.phase == .collecting { state.scopes += scopes }
            return state.phase == .committed
        }
        if isLate { invalidate(scopes) }
    }

    /// Ends the collection after a commit. Returns the scopes, each once, in the order of their addition.
    func commit() -> [InvalidationScope] {
        let scopes = state.withLockedValue { state in
            state.phase = .committed
            return state.scopes
        }
        var seen: Set<InvalidationScope> = []
        return scopes.filter { seen.insert($0).inserted }
    }

    /// Ends the collection of a change that was not made; does nothing after a commit.
    func abandon() {
        state.withLockedValue { state in
            if state.phase == .collecting { state.phase = .abandoned }
        }
    }
}

extension ResponseCache {
    /// Calls a closure that makes a change, and invalidates the scopes that it collects once it has returned: not
    /// before, so that no handler reads the data from before the commit and stores it afterwards, and not at all if it
    /// throws.
    ///
    /// ```swift
    /// try await cache.invalidatingAfter { invalidations in
    ///     try await database.write { transaction in
    ///         try transaction.insert(comment)
    ///         invalidations.add(.tag("post-42"))
    ///     }
    /// }
    /// ```
    /// The closure must not return before the change is committed. The invalidation is carried out even if the calling
    /// task is cancelled meanwhile, and this function waits for its acknowledgement as `invalidate` does. If the store
    /// cannot be reached, the invalidation is queued (``InvalidationResult/pending``).
    /// - Returns: What the closure returns.
    /// - Throws: The error of the closure.
    public func invalidatingAfter<Result: Sendable>(
        _ change: (CommittedInvalidations) async throws -> Result
    ) async rethrows -> Result {
        let invalidations = CommittedInvalidations { [self] scopes in
            logger.warning(
                "An invalidation was added after the change: wait for all tasks before the closure returns",
                metadata: ["scopes": "\(scopes.count)"]
            )
            tasks.start { [self] in await invalidate(scopes) }
        }
        defer { invalidations.abandon() }
        let result = try await change(invalidations)
        await invalidate(invalidations.commit())
        return result
    }
}
