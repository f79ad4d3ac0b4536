package import NIOCore

/// The longest time that a caller waits for its replies, counted from when its commands were flushed to the socket.
package enum ReplyTimeout: Hashable, Sendable {
    case fixed(TimeAmount)
    /// The caller waits as long as ``AdaptiveTimeout`` says, and longer while the server sends, up to the timeout's
    /// upper bound.
    case adaptive
    /// The caller waits up to the upper bound of ``AdaptiveTimeout``. The time of the reply is a sample for later
    /// timeouts.
    case probe
}

/// The time after which a reply counts as late, derived from the times of earlier replies.
///
/// TCP has the same task when it decides that a segment is lost. Its timeout (RFC 6298) is the smoothed round-trip time
/// plus four times its mean deviation, and doubles when it expires. A connection to Redis differs in two respects. It
/// has thousands of replies in one round trip, so a mean over the last of them forgets a rare slow reply within a
/// millisecond. And a reply that is given up costs a request to the origin, not a segment. So the timeout follows the
/// slowest of the recent replies instead of their mean:
///
///     slowest = max(the reply's time, slowest · 2^(-elapsed / 10 s))        timeout = 4 · slowest, within bounds
///
/// It rises at once and falls slowly. Two rules are those of RFC 6298:
/// - A late reply is not a sample (§3), so a server that suddenly becomes slow does not raise its own timeout.
/// - When a reply does not come in time, the timeout rises (§5.5), here at least to its base: a timeout that has
///   adapted to a fast server is too short for a server that has become a little slower since.
///
/// With these two rules alone, a server that is slower than the base would never be used, whether from the first reply
/// on or after a sudden change: none of its replies is in time. RFC 6298 doubles the timeout until one is (§5.5). Here
/// *probes* measure the server instead: they wait up to the upper bound, and no request waits for them. Their replies
/// are samples. Probes are sent at intervals, and when a server that did not answer in time has not been used for a
/// while.
///
/// The initial state is that of a server in which every reply took a quarter of the base. The type is a value and does
/// not read a clock.
package struct AdaptiveTimeout: Sendable {
    /// The timeout before any reply was measured, and the shortest and the longest timeout.
    package struct Bounds: Hashable, Sendable {
        package let base, shortest, longest: TimeAmount

        /// Creates bounds. A base outside of them widens them.
        package init(
            base: TimeAmount = .milliseconds(50),
            shortest: TimeAmount = .milliseconds(10),
            longest: TimeAmount = .seconds(1)
        ) {
            self.base = base
            self.shortest = min(shortest, base)
            self.longest = max(longest, base)
        }
    }

    package let bounds: Bounds
    private var slowest: Double
    private var decayedAt: NIODeadline
    /// 2^(-1/10): the fraction of the slowest time that remains after a second.
    private static let decay = 0.933
    private static let factor = 4.0

    package init(_ bounds: Bounds, at now: NIODeadline) {
        self.bounds = bounds
        self.slowest = Double(bounds.base.nanoseconds) / Self.factor
        self.decayedAt = now
    }

    /// The time after which a reply is late.
    package var current: TimeAmount {
        // The product is far below the bounds of an integer: a reply in time never takes longer than the upper bound.
        let timeout = TimeAmount.nanoseconds(Int64(min(slowest * Self.factor, 1e18)))
        return min(max(timeout, bounds.shortest), bounds.longest)
    }

    /// Records the time of a reply that came in time, or of a reply to a probe.
    package mutating func replied(after time: TimeAmount, at now: NIODeadline) {
        advance(to: now)
        slowest = max(slowest, Double(time.nanoseconds))
    }

    /// Records that a reply did not come in time.
    package mutating func expired() {
        slowest = max(slowest, Double(bounds.base.nanoseconds) / Self.factor)
    }

    /// Lets the slowest time decay for each whole second that has passed.
    package mutating func advance(to now: NIODeadline) {
        var seconds = (now - decayedAt).nanoseconds / 1_000_000_000
        guard seconds > 0 else { return }
        decayedAt = decayedAt + .seconds(seconds)
        while seconds > 0, slowest > 1 {
            slowest *= Self.decay
            seconds -= 1
        }
    }
}
