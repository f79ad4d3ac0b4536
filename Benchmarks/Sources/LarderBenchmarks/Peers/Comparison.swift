/// One row of the table: what Larder does beside another server, and the ratio that it should reach.
struct Comparison {
    /// The work, such as `gateway hit, 40 B`.
    let work: String
    let rival: String
    var goal: Goal?
    /// The measured values, in the order of the rounds; none if a contestant is missing.
    var pairs: [Pair] = []

    struct Pair {
        let own: Double
        let rival: Double
    }

    /// A bound of the ratio of Larder's value to the other's.
    enum Goal {
        case atLeast(Double)
        case atMost(Double)

        var bound: Double {
            switch self {
            case .atLeast(let bound), .atMost(let bound): bound
            }
        }

        func isReached(by ratio: Double) -> Bool {
            switch self {
            case .atLeast(let bound): ratio >= bound
            case .atMost(let bound): ratio <= bound
            }
        }

        var text: String {
            switch self {
            case .atLeast: "≥ \(Figure.ratio(bound))"
            case .atMost: "≤ \(Figure.ratio(bound))"
            }
        }
    }

    var ratios: [Double] { pairs.map { $0.own / $0.rival } }
    var ratio: Double? { ratios.isEmpty ? nil : Figure.median(ratios) }

    /// The median of the ratios with the range: `1.17 (1.02 to 1.30)`.
    var measured: String {
        guard let ratio, let least = ratios.min(), let most = ratios.max() else { return "not measured" }
        return "\(Figure.ratio(ratio)) (\(Figure.ratio(least)) to \(Figure.ratio(most)))"
    }

    /// Says whether the goal is reached; empty if there is none or nothing was measured.
    var verdict: String {
        guard let goal, let ratio else { return "" }
        return goal.isReached(by: ratio) ? "yes" : "no"
    }
}

/// The figures of tables.
enum Figure {
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Returns a ratio with three digits: `0.93`, `12.4`, `130`.
    static func ratio(_ value: Double) -> String { decimal(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0) }

    /// Returns a whole number with commas between thousands.
    static func count(_ value: Double) -> String {
        let digits = Array(String(Int(value.rounded())))
        return digits.indices.map { place in
            let isThousand = place > 0 && (digits.count - place) % 3 == 0
            return (isThousand ? "," : "") + String(digits[place])
        }
        .joined()
    }

    /// Returns a positive number with this number of digits after the point.
    static func decimal(_ value: Double, _ places: Int) -> String {
        let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
        let scaled = Int((value * Double(scale)).rounded())
        guard places > 0 else { return String(scaled) }
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}
