/// The delays between attempts to connect.
///
/// The delay doubles with every failure up to a longest one. Half of it is random, so that processes that lost a server
/// at the same time do not reconnect to it at the same time.
package struct ReconnectPlan: Hashable, Sendable {
    /// The delay after the first failure.
    package var first: Duration

    /// The longest delay. If a connection lasted at least this long, its loss counts as a first failure.
    package var longest: Duration

    private var failures = 0

    package init(first: Duration = .milliseconds(50), longest: Duration = .seconds(5)) {
        self.first = first
        self.longest = longest
    }

    /// Returns the delay after a connection that lasted for `lifetime`, which is zero if the attempt to connect failed.
    ///
    /// A server that accepts every connection and drops it at once is a failing server: only lasting connections reset
    /// the delay.
    package mutating func delay(
        afterLifetime lifetime: Duration,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        if lifetime >= longest { failures = 0 }
        var delay = min(first, longest)
        // The doubling does not overflow: `delay` is at most half of `longest` before it.
        for _ in 0..<failures where delay < longest {
            delay = delay > longest / 2 ? longest : delay * 2
        }
        failures = min(failures + 1, 64)
        return delay * Double.random(in: 0.5...1, using: &generator)
    }
}
