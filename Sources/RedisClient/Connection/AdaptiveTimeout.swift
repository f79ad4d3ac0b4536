package import NIOCore

/// How long a caller waits for its replies, counted from when its commands were handed to the socket.
package enum ReplyTimeout: Hashable, Sendable {
    case fixed(TimeAmount)
    /// As long as ``AdaptiveTimeout`` says, and longer while the server sends, up to the timeout's upper bound.
    case adaptive
    /// Up to the upper bound of ``AdaptiveTimeout``. The time of the reply is a measure for those that follow.
    case probe
}

/// The time after which a reply is late, by how long the replies before it took.
///
/// TCP has the same task when it decides that a segment is lost. Its timeout (RFC 6298) is the smoothed round-trip time
/// and four times its mean deviation, and doubles when it expires. A connection to Redis differs in two respects. It
/// has thousands of replies in one round trip, so that a mean over the last of them forgets a rare slow reply within a
/// millisecond. And a reply that is given up costs a request to the origin, not a segment. So the measure is not the
/// mean but the slowest of the recent replies:
///
///     slowest = max(the reply's time, slowest · 2^(-elapsed / 10 s))        timeout = 4 · slowest, within bounds
///
/// It rises at once and falls slowly. Two rules are those of RFC 6298:
/// - A late reply is no sample (§3). A server that becomes slow all of a sudden does not make itself the measure.
/// - When a reply does not come in time, the timeout rises (§5.5), here to its base at least: one that has adapted to a
///   fast server is not the measure for a server that is a little slower since.
///
/// By these two alone a server that is slower than the base from the first reply on, or all of a sudden and from then
/// on, would never be used: no reply of it is in time. RFC 6298 doubles the timeout until one is (§5.5). Here *probes*
/// find out, which wait up to the upper bound while no request does. Their replies are samples. They go out now and
/// then, and when a server that did not answer in time has been left alone for a while.
///
/// The first samples are those of a server in which every reply took a quarter of the base. A value without a clock.
package struct AdaptiveTimeout: Sendable {
    /// The timeout before anything is known, the shortest and the longest.
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
    /// 2^(-1/10): what is left of the slowest time after a second.
    private static let decay = 0.933
    private static let factor = 4.0

    package init(_ bounds: Bounds, at now: NIODeadline) {
        self.bounds = bounds
        self.slowest = Double(bounds.base.nanoseconds) / Self.factor
        self.decayedAt = now
    }

    /// The time after which a reply is late.
    package var current: TimeAmount {
        // Far below the bounds of an integer: no reply in time takes longer than the upper bound.
        let timeout = TimeAmount.nanoseconds(Int64(min(slowest * Self.factor, 1e18)))
        return min(max(timeout, bounds.shortest), bounds.longest)
    }

    /// Learns from a reply that came in time, or from that to a probe.
    package mutating func replied(after time: TimeAmount, at now: NIODeadline) {
        advance(to: now)
        slowest = max(slowest, Double(time.nanoseconds))
    }

    /// Learns that a reply did not come in time.
    package mutating func expired() {
        slowest = max(slowest, Double(bounds.base.nanoseconds) / Self.factor)
    }

    /// Forgets as much as time has passed.
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
