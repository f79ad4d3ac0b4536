import Metrics
import NIOConcurrencyHelpers

/// A counter of something that is counted elsewhere.
final class RisingCounter: Sendable {
    private let counter: Counter
    private let last = NIOLockedValueBox(0)

    /// Creates a counter from one of swift-metrics, at zero.
    init(_ counter: Counter) { self.counter = counter }

    /// Adds what has been counted since the last call.
    func rise(to count: Int) {
        last.withLockedValue { last in
            if count > last { counter.increment(by: count - last) }
            last = max(last, count)
        }
    }
}
