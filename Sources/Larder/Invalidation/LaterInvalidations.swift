import HTTPCaching
import NIOConcurrencyHelpers
import ServiceLifecycle

extension ResponseCache {
    /// Invalidates scopes after a time, in the background: for example when a price that is known today starts to be
    /// charged.
    ///
    /// The invalidation is lost if the program ends, or the cache is shut down, before the time has come.
    /// - Returns: A handle that cancels the invalidation.
    @discardableResult
    public func invalidate(_ scopes: InvalidationScope..., after delay: Duration) -> ScheduledInvalidation {
        let time = clock.now.advanced(by: delay)
        return ScheduledInvalidation(tasks.start(at: time, by: clock) { [self] in await invalidate(scopes) })
    }

    /// Invalidates scopes at most once in a time, in the background: for data that changes many times a second, such as
    /// a counter, whose responses may be a little old.
    ///
    /// The first call invalidates after the interval, and the calls meanwhile do nothing more, unless their interval
    /// ends earlier. So a response may be older than an invalidation by up to this interval: this is not for changes
    /// that clients have to see at once. When the cache is shut down, what is due is invalidated before the store
    /// stops.
    /// - Parameters:
    ///   - scopes: The scopes to invalidate.
    ///   - interval: The time from the first call to the invalidation.
    public func invalidate(_ scopes: InvalidationScope..., atMostEvery interval: Duration) {
        let time = clock.now.advanced(by: interval)
        let own = debounced.add(scopes, at: time)
        guard !own.isEmpty else { return }
        tasks.start(at: time, by: clock) { [self] in await invalidate(debounced.take(own, at: time)) }
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

/// The scopes whose invalidation is due at a time.
final class DebouncedScopes: Sendable {
    private let scopes = NIOLockedValueBox<[InvalidationScope: Timestamp]>([:])

    /// Adds scopes, and returns those whose invalidation was not due until this time.
    func add(_ added: [InvalidationScope], at time: Timestamp) -> [InvalidationScope] {
        scopes.withLockedValue { scopes in
            added.filter { scope in
                if let due = scopes[scope], due <= time { return false }
                scopes[scope] = time
                return true
            }
        }
    }

    /// Removes those of the scopes that are due at a time, and returns them: a later call needs another invalidation.
    func take(_ taken: [InvalidationScope], at time: Timestamp) -> [InvalidationScope] {
        scopes.withLockedValue { scopes in
            taken.filter { scope in
                guard scopes[scope] == time else { return false }
                scopes[scope] = nil
                return true
            }
        }
    }

    /// Removes all scopes, and returns them.
    func takeAll() -> [InvalidationScope] {
        scopes.withLockedValue { scopes in
            defer { scopes = [:] }
            return Array(scopes.keys)
        }
    }
}

// MARK: - Shutting down

/// A service that carries out the debounced invalidations when it is shut down.
struct DebouncedInvalidations: Service {
    let cache: ResponseCache

    func run() async throws {
        // If the task is cancelled instead, the store may have stopped; what it cannot accept is lost.
        try? await gracefulShutdown()
        await cache.invalidate(cache.debounced.takeAll())
    }
}

/// The background work of a store as a service.
struct StoreService: Service {
    let store: any CacheStore

    func run() async throws { try await store.run() }
}
