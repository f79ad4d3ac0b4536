import HTTPCaching
import NIOConcurrencyHelpers

/// The notes about keys that a cache has in addition to its store, for a limited time and number of keys.
final class KeyNotes: Sendable {
    /// A note about the key of a fetch.
    enum Note: Hashable, Sendable {
        /// Its responses are not storable.
        case uncacheable
        /// Its responses to requests with `Authorization` are only for the user who sent them.
        case personal
        /// A response was stored.
        case stored
        /// The origin failed, with this status or without any.
        case failed(status: Int?)
        /// The origin answered.
        case answered
    }

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

    /// Notes something about a key.
    func note(_ note: Note, about key: LeveledKey, at now: Timestamp) {
        switch note {
        case .uncacheable: uncacheable.withLockedValue { $0.add(key, at: now) }
        case .personal: personal.withLockedValue { $0.add(key, at: now) }
        case .stored: uncacheable.withLockedValue { $0.forget(key) }
        case .failed(let status): failures.withLockedValue { $0.failed(key, status: status, at: now) }
        case .answered: failures.withLockedValue { $0.succeeded(key) }
        }
    }

    /// Returns the failure because of which the origin is not to be asked for a key now; nil if it may be asked.
    func pause(of key: LeveledKey, at now: Timestamp) -> FailureMemo<LeveledKey>.Failure? {
        failures.withLockedValue { $0.pause(of: key, at: now) }
    }
}
