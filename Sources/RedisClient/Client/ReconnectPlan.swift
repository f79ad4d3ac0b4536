/// How long to wait before the next attempt to connect.
///
/// The delay doubles with every failure up to a longest one. Half of it is left to chance, so that the processes that
/// lost a server together do not all come back to it together.
package struct ReconnectPlan: Hashable, Sendable {
    /// The delay after the first failure.
    package var first: Duration

    /// The delay that is not exceeded. A connection that lasted this long makes its loss a first failure.
    package var longest: Duration

    private var failures = 0

    package init(first: Duration = .milliseconds(50), longest: Duration = .seconds(5)) {
        self.first = first
        self.longest = longest
    }

    /// A connection was lost after a lifetime, which is zero for one that never came about.
    ///
    /// A server that accepts every connection and drops it at once is a failing server: only lasting connections count.
    package mutating func delay(
        afterLifetime lifetime: Duration,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        if lifetime >= longest { failures = 0 }
        var delay = min(first, longest)
        // Doubles without overflow: `delay` never exceeds half of `longest` before it does.
        for _ in 0..<failures where delay < longest {
            delay = delay > longest / 2 ? longest : delay * 2
        }
        failures = min(failures + 1, 64)
        return delay * Double.random(in: 0.5...1, using: &generator)
    }
}
