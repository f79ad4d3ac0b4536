import CoreMetrics
import Synchronization

/// The number of a counter or gauge.
///
/// Whole numbers are added without a loop; a counter of fractions uses ``add(_:)``.
final class Number: Sendable {
    private let whole = Atomic<Int64>(0)
    /// The bits of a `Double`, which is added to the whole number.
    private let fraction = Atomic<UInt64>(0)

    var value: Double {
        Double(whole.load(ordering: .relaxed)) + Double(bitPattern: fraction.load(ordering: .relaxed))
    }

    func add(_ amount: Int64) { whole.wrappingAdd(amount, ordering: .relaxed) }

    func add(_ amount: Double) {
        var before = fraction.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: before) + amount).bitPattern
            let (isExchanged, original) = fraction.weakCompareExchange(
                expected: before,
                desired: sum,
                ordering: .relaxed
            )
            if isExchanged { return }
            before = original
        }
    }

    /// Sets the number. A gauge is only set, or added to by ``add(_:)``.
    func set(_ value: Double) { fraction.store(value.bitPattern, ordering: .relaxed) }
}

/// The counts of a histogram at one moment.
public struct HistogramSnapshot: Sendable {
    /// The upper bounds of the buckets; the last bucket has none.
    public let bounds: [Double]
    /// The number of recorded values in each bucket: one more than there are bounds.
    public let counts: [Int]
    /// The sum of the recorded values.
    public let sum: Double

    /// The number of recorded values.
    public var count: Int { counts.reduce(0, +) }

    /// Creates counts.
    /// - Parameters:
    ///   - bounds: The upper bounds of the buckets; the last bucket has none.
    ///   - counts: The number of recorded values in each bucket: one more than there are bounds.
    ///   - sum: The sum of the recorded values.
    public init(bounds: [Double], counts: [Int], sum: Double) {
        precondition(counts.count == bounds.count + 1, "A histogram needs one bucket more than it has bounds")
        self.bounds = bounds
        self.counts = counts
        self.sum = sum
    }

    /// Returns the value below which a part of the recorded values are, interpolated within its bucket, as PromQL's
    /// `histogram_quantile` does; nil if nothing is recorded. If it is in the last bucket, it is the highest bound.
    /// - Parameter part: The part, between 0 and 1: 0.99 for the 99th percentile.
    public func quantile(_ part: Double) -> Double? {
        let total = count
        guard total > 0 else { return nil }
        let rank = part * Double(total)
        var below = 0
        for (place, bound) in bounds.enumerated() {
            let inBucket = counts[place]
            if Double(below + inBucket) >= rank, inBucket > 0 {
                let start = place == 0 ? 0 : bounds[place - 1]
                return start + (bound - start) * (rank - Double(below)) / Double(inBucket)
            }
            below += inBucket
        }
        return bounds.last
    }

    /// Returns what was recorded in both.
    /// - Parameter other: The counts of another histogram with the same bounds.
    public func adding(_ other: HistogramSnapshot) -> HistogramSnapshot {
        guard other.bounds == bounds else { return self }
        return HistogramSnapshot(
            bounds: bounds,
            counts: zip(counts, other.counts).map { $0 + $1 },
            sum: sum + other.sum
        )
    }

    /// Returns what was recorded since an earlier moment.
    /// - Parameter earlier: The counts of the same histogram at the earlier moment.
    public func since(_ earlier: HistogramSnapshot) -> HistogramSnapshot {
        guard earlier.counts.count == counts.count else { return self }
        return HistogramSnapshot(
            bounds: bounds,
            counts: zip(counts, earlier.counts).map { max(0, $0 - $1) },
            sum: sum - earlier.sum
        )
    }
}

/// The buckets of a histogram.
final class Histogram: Sendable {
    /// The upper bounds in the unit in which values are recorded.
    private let limits: [Int64]
    private let bounds: [Double]
    private let scale: Double
    private let buckets: [Bucket]
    private let sum = Number()

    /// Creates a histogram.
    /// - Parameter scale: The number that recorded values are divided by: 1e9 if nanoseconds are recorded and the
    ///   bounds are seconds.
    init(bounds: [Double], scale: Double) {
        self.bounds = bounds
        self.scale = scale
        self.limits = bounds.map { Int64(clamping: $0 * scale) }
        self.buckets = (0...bounds.count).map { _ in Bucket() }
    }

    func record(_ value: Int64) {
        // The bounds grow by a factor of two or more, so most values are found after a few steps from the lowest.
        var place = 0
        while place < limits.count, value > limits[place] { place += 1 }
        buckets[place].count.wrappingAdd(1, ordering: .relaxed)
        sum.add(value)
    }

    func record(_ value: Double) {
        let place = bounds.firstIndex { value <= $0 * scale } ?? bounds.count
        buckets[place].count.wrappingAdd(1, ordering: .relaxed)
        if value.isFinite { sum.add(value) }
    }

    var snapshot: HistogramSnapshot {
        HistogramSnapshot(
            bounds: bounds,
            counts: buckets.map { $0.count.load(ordering: .relaxed) },
            sum: sum.value / scale
        )
    }
}

extension Int64 {
    fileprivate init(clamping value: Double) {
        self = value >= 9.2e18 ? .max : value <= -9.2e18 ? .min : Int64(value.rounded())
    }
}

/// The count of a bucket.
private final class Bucket: Sendable {
    let count = Atomic<Int>(0)
}
