import Logging
import NIOConcurrencyHelpers

/// Invalidations that are collected while a change is made, and carried out when it is committed.
public final class CommittedInvalidations: Sendable {
    private let scopes = NIOLockedValueBox<[InvalidationScope]>([])

    init() {}

    /// Adds scopes that are invalidated when the closure has returned.
    public func add(_ scopes: InvalidationScope...) { add(scopes) }

    /// Adds scopes that are invalidated when the closure has returned.
    public func add(_ scopes: [InvalidationScope]) {
        self.scopes.withLockedValue { $0 += scopes }
    }

    /// Returns the scopes, each once, in the order of their addition.
    var all: [InvalidationScope] {
        var seen: Set<InvalidationScope> = []
        return scopes.withLockedValue { $0 }.filter { seen.insert($0).inserted }
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
    /// task is cancelled meanwhile, and this function waits for its acknowledgement as `invalidate` does.
    /// - Returns: What the closure returns.
    /// - Throws: The error of the closure.
    public func invalidatingAfter<Result: Sendable>(
        _ change: (CommittedInvalidations) async throws -> Result
    ) async rethrows -> Result {
        let invalidations = CommittedInvalidations()
        let result = try await change(invalidations)
        await invalidate(invalidations.all)
        return result
    }
}

// MARK: - Later invalidations

extension ResponseCache {
    /// Invalidates scopes after a time, in the background: for example when a price that is known today starts to be
    /// charged.
    ///
    /// The invalidation is lost if the program ends, or the cache is shut down, before the time has come.
    /// - Returns: A handle that cancels the invalidation.
    @discardableResult
    public func invalidate(_ scopes: InvalidationScope..., after delay: Duration) -> ScheduledInvalidation {
        ScheduledInvalidation(
            tasks.start { [self] in
                do { try await clock.sleep(for: delay) } catch { return }
                await invalidate(scopes)
            }
        )
    }

    /// Invalidates scopes at most once in a time, in the background: for data that changes many times a second, such as
    /// a counter, whose responses may be a little old.
    ///
    /// The first call invalidates after the interval, and the calls meanwhile do nothing more. So a response may be
    /// older than an invalidation by up to this interval: this is not for changes that clients have to see at once.
    /// - Parameters:
    ///   - scopes: The scopes to invalidate.
    ///   - interval: The time from the first call to the invalidation.
    public func invalidate(_ scopes: InvalidationScope..., atMostEvery interval: Duration) {
        let due = debounce.add(scopes)
        guard !due.isEmpty else { return }
        tasks.start { [self] in
            // A shutdown ends the wait. The store may have stopped by then, and the invalidation is lost with it.
            try? await clock.sleep(for: interval)
            debounce.remove(due)
            await invalidate(due)
        }
    }
}

/// An invalidation that is carried out later, unless it is cancelled.
public struct ScheduledInvalidation: Sendable {
    private let task: Task<Void, Never>

    init(_ task: Task<Void, Never>) { self.task = task }

    /// Cancels the invalidation; does nothing if it has begun.
    public func cancel() { task.cancel() }

    /// Waits until the invalidation is acknowledged, pending or cancelled.
    public func value() async { await task.value }
}

/// The scopes whose invalidation is due after an interval.
final class DebouncedScopes: Sendable {
    private let scopes = NIOLockedValueBox<Set<InvalidationScope>>([])

    /// Adds scopes, and returns those that were not due already.
    func add(_ added: [InvalidationScope]) -> [InvalidationScope] {
        scopes.withLockedValue { scopes in added.filter { scopes.insert($0).inserted } }
    }

    /// Removes scopes whose invalidation begins now: a later call needs another one.
    func remove(_ removed: [InvalidationScope]) {
        scopes.withLockedValue { $0.subtract(removed) }
    }
}
