import HTTPCaching
import NIOConcurrencyHelpers

/// What a cache remembers of keys beside its store, for a while and within limits.
final class CacheMemory: Sendable {
    /// The keys whose responses were not storable lately: requests for them do not wait for one another.
    private let uncacheable: NIOLockedValueBox<KeyMemo<LeveledKey>>
    /// The keys whose responses to requests with `Authorization` are for the user alone.
    private let personal: NIOLockedValueBox<KeyMemo<LeveledKey>>
    private let failures: NIOLockedValueBox<FailureMemo<LeveledKey>>

    init(_ limits: CacheLimits) {
        uncacheable = NIOLockedValueBox(KeyMemo(limit: limits.refusals, span: limits.refusalSpan))
        personal = NIOLockedValueBox(KeyMemo(limit: limits.refusals, span: limits.refusalSpan))
        failures = NIOLockedValueBox(
            FailureMemo(limit: limits.refusals, first: limits.failurePause, longest: limits.longestFailurePause)
        )
    }

    /// Returns true if what a request fetches was not storable lately, and is not worth waiting for.
    func isUncacheable(_ key: LeveledKey, withAuthorization: Bool, at now: Timestamp) -> Bool {
        uncacheable.withLockedValue { $0.contains(key, at: now) }
            || withAuthorization && personal.withLockedValue { $0.contains(key, at: now) }
    }

    func add(uncacheable key: LeveledKey, at now: Timestamp) {
        uncacheable.withLockedValue { $0.add(key, at: now) }
    }

    func add(personal key: LeveledKey, at now: Timestamp) {
        personal.withLockedValue { $0.add(key, at: now) }
    }

    func forget(uncacheable key: LeveledKey) {
        uncacheable.withLockedValue { $0.forget(key) }
    }

    /// The failure because of which the origin is not to be asked for a key now.
    func pause(of key: LeveledKey, at now: Timestamp) -> FailureMemo<LeveledKey>.Failure? {
        failures.withLockedValue { $0.pause(of: key, at: now) }
    }

    func failed(_ key: LeveledKey, status: Int?, at now: Timestamp) {
        failures.withLockedValue { $0.failed(key, status: status, at: now) }
    }

    func succeeded(_ key: LeveledKey) {
        failures.withLockedValue { $0.succeeded(key) }
    }
}
