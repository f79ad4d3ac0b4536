/// A point in time: whole nanoseconds since the Unix epoch, from the year 1677 to 2262.
///
/// Arithmetic saturates at ``distantPast`` and ``distantFuture``: a lifetime that was received can be absurdly long,
/// and must neither trap nor wrap around into the past. Comparing two timestamps takes one machine instruction.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// The number of nanoseconds since 1970-01-01T00:00:00Z, negative before it.
    public var nanosecondsSinceEpoch: Int64

    /// Creates the point in time that is this number of nanoseconds after the Unix epoch.
    public init(nanosecondsSinceEpoch: Int64) {
        self.nanosecondsSinceEpoch = nanosecondsSinceEpoch
    }

    /// Creates the point in time that is this number of seconds after the Unix epoch, saturating.
    public init(secondsSinceEpoch seconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: Self.nanosecondsPerSecond)
        self.nanosecondsSinceEpoch = overflow ? (seconds < 0 ? .min : .max) : product
    }

    /// The earliest point in time that can be expressed.
    public static let distantPast = Timestamp(nanosecondsSinceEpoch: .min)

    /// The latest point in time that can be expressed; it means that something does not end.
    public static let distantFuture = Timestamp(nanosecondsSinceEpoch: .max)

    /// The number of whole seconds since the Unix epoch, rounded towards the past.
    public var secondsSinceEpoch: Int64 {
        Self.flooredSeconds(nanosecondsSinceEpoch)
    }

    /// Returns the point in time that is `duration` after this one (before it, if negative), saturating.
    public func advanced(by duration: Duration) -> Timestamp {
        advanced(byNanoseconds: duration.saturatedNanoseconds)
    }

    /// Returns the time from `earlier` to this point, negative if `earlier` is the later one, saturating.
    public func duration(since earlier: Timestamp) -> Duration {
        .nanoseconds(nanoseconds(since: earlier))
    }

    public static func < (lhs: Timestamp, rhs: Timestamp) -> Bool {
        lhs.nanosecondsSinceEpoch < rhs.nanosecondsSinceEpoch
    }
}

extension Timestamp {
    static let nanosecondsPerSecond: Int64 = 1_000_000_000

    func advanced(byNanoseconds nanoseconds: Int64) -> Timestamp {
        let (sum, overflow) = nanosecondsSinceEpoch.addingReportingOverflow(nanoseconds)
        return Timestamp(nanosecondsSinceEpoch: overflow ? (nanoseconds < 0 ? .min : .max) : sum)
    }

    func nanoseconds(since earlier: Timestamp) -> Int64 {
        let (difference, overflow) = nanosecondsSinceEpoch.subtractingReportingOverflow(earlier.nanosecondsSinceEpoch)
        return overflow ? (self < earlier ? .min : .max) : difference
    }

    /// Returns the whole seconds from `earlier` to this point, rounded towards the past.
    func seconds(since earlier: Timestamp) -> Int64 {
        Self.flooredSeconds(nanoseconds(since: earlier))
    }

    private static func flooredSeconds(_ nanoseconds: Int64) -> Int64 {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: nanosecondsPerSecond)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

extension Duration {
    /// The length in nanoseconds, rounded towards zero and saturated to 64 bits.
    var saturatedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: Timestamp.nanosecondsPerSecond)
        let (sum, overflowOfSum) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || overflowOfSum ? (seconds < 0 ? .min : .max) : sum
    }
}
