/// A limit on the log lines about events that any client can cause.
package struct LogLimit: Sendable {
    /// The length of a period.
    package static let period = Duration.seconds(10)

    private let limit: Int
    private var periodBegan: ContinuousClock.Instant?
    private var lines = 0
    private var unlogged = 0

    /// Creates a limit.
    /// - Parameter limit: The number of lines within a period.
    package init(_ limit: Int) { self.limit = limit }

    /// Counts an event.
    /// - Returns: The number of events before it that were not logged; nil if this one is not to be logged.
    package mutating func count(at now: ContinuousClock.Instant = .now) -> Int? {
        let isNewPeriod = periodBegan.map { now - $0 >= Self.period } ?? true
        if isNewPeriod { (periodBegan, lines) = (now, 0) }
        guard lines < limit else {
            unlogged += 1
            return nil
        }
        lines += 1
        defer { unlogged = 0 }
        return unlogged
    }
}
