import NIOConcurrencyHelpers

/// The versions of a row: the last committed one, and the last one that was acknowledged after its invalidation.
package final class Versions: Sendable {
    private let state = NIOLockedValueBox((committed: 0, acknowledged: 0))

    /// Creates the versions of a row that has not been written yet.
    package init() {}

    /// The last version committed.
    package var committed: Int { state.withLockedValue { $0.committed } }
    /// The last acknowledged version: later requests must not get an older one.
    package var acknowledged: Int { state.withLockedValue { $0.acknowledged } }

    /// Commits the next version.
    package func commit() -> Int {
        state.withLockedValue { state in
            state.committed += 1
            return state.committed
        }
    }

    /// Acknowledges a version that was committed and then invalidated.
    package func acknowledge(_ version: Int) {
        state.withLockedValue { $0.acknowledged = max($0.acknowledged, version) }
    }
}
