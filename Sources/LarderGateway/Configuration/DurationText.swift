import HTTPCaching

/// The text form of durations in a configuration: a whole number and its unit.
package enum DurationText {
    /// The longest valid duration: 3,650 days, about ten years.
    static let longest = Duration.seconds(3_650 * 86_400)

    /// The expected form of a duration, for messages.
    package static let expectation = "a number and a unit, such as 500ms, 30s, 5m, 2h or 1d"

    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// Returns the duration that a text such as `500ms`, `30s`, `5m`, `2h` or `1d` stands for; nil for any other text.
    package static func parse(_ text: String) -> Duration? {
        let digits = text.utf8.prefix(while: ASCII.isDigit)
        let suffix = text.utf8.dropFirst(digits.count)
        guard let unit = units.first(where: { $0.suffix.utf8.elementsEqual(suffix) }),
            let number = Int64(Substring(digits))
        else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow else { return nil }
        let duration = Duration.milliseconds(milliseconds)
        return duration <= longest ? duration : nil
    }

    /// Returns a short text that reads as a duration, with the largest unit that divides it: `90s`, `5m`.
    static func describe(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0 else { return "0s" }
        let unit = units.last { milliseconds.isMultiple(of: $0.milliseconds) }
        return "\(milliseconds / (unit?.milliseconds ?? 1))\(unit?.suffix ?? "ms")"
    }
}
