import HTTPCaching
import NIOConcurrencyHelpers

/// The state of keys that a cache remembers beside its store, for a limited time and number of keys.
final class CacheMemory: Sendable {
    /// The uncacheable keys, whose responses were not storable lately: requests for them do not wait for one another.
    private let uncacheable: NIOLockedValueBox<UncacheableKeys<LeveledKey>>
    /// The keys whose responses to requests with `Authorization` are only for the user who sent them.
    private let personal: NIOLockedValueBox<UncacheableKeys<LeveledKey>>
    private let failures: NIOLockedValueBox<FailureMemo<LeveledKey>>

    init(_ limits: CacheLimits) {
        uncacheable = NIOLockedValueBox(UncacheableKeys(limit: limits.uncacheableKeys, span: limits.uncacheableTime))
        personal = NIOLockedValueBox(UncacheableKeys(limit: limits.uncacheableKeys, span: limits.uncacheableTime))
        failures = NIOLockedValueBox(
            FailureMemo(limit: limits.uncacheableKeys, first: limits.failurePause, longest: limits.longestFailurePause)
        )
    }

    /// Returns true if responses to such a request were not storable lately, so that waiting for one is of no use.
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

    /// Returns the failure because of which the origin is not to be asked for a key now; nil if it may be asked.
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
