/// The texts of numbers in reports, in English.
package enum NumberText {
    /// Returns a whole number with commas: `1,000,000`.
    package static func grouped(_ number: Int) -> String {
        let digits = String(number.magnitude)
        var text = number < 0 ? "-" : ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return text
    }

    /// Returns a number with a fixed number of decimal places, rounded.
    /// - Parameter places: The number of digits after the point.
    package static func fixed(_ number: Double, places: Int) -> String {
        let scale = (0..<places).reduce(1) { factor, _ in factor * 10 }
        let scaled = (number * Double(scale)).rounded()
        guard scaled.isFinite, abs(scaled) < 1e15 else { return "-" }
        let whole = Int(scaled)
        let text = (whole < 0 ? "-" : "") + "\(whole.magnitude / scale.magnitude)"
        guard places > 0 else { return text }
        let rest = String(whole.magnitude % scale.magnitude)
        return text + "." + String(repeating: "0", count: places - rest.count) + rest
    }

    /// Returns a ratio as a percentage: `81.2 %`.
    package static func percent(_ ratio: Double, places: Int = 1) -> String {
        fixed(ratio * 100, places: places) + " %"
    }

    /// Returns a number of bytes of traffic, in units of powers of ten: `20.3 GB`.
    package static func traffic(_ bytes: Int) -> String {
        scaled(bytes, [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)])
    }

    /// Returns a number of bytes of memory, in units of powers of two: `61.4 MiB`, `64 MiB`.
    package static func memory(_ bytes: Int) -> String {
        scaled(bytes, [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)])
    }

    private static func scaled(_ bytes: Int, _ units: [(name: String, size: Int)]) -> String {
        guard let unit = units.first(where: { bytes >= $0.size }) else { return "\(bytes) B" }
        guard !bytes.isMultiple(of: unit.size) else { return "\(bytes / unit.size) \(unit.name)" }
        let value = Double(bytes) / Double(unit.size)
        return fixed(value, places: value < 100 ? 1 : 0) + " " + unit.name
    }

    /// Returns a time in its largest two units: `3 d 4 h`, `12 min`.
    package static func duration(_ duration: Duration) -> String {
        let seconds = Int(duration.components.seconds)
        let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
        guard let place = units.firstIndex(where: { seconds >= $0.1 }) else { return "0 s" }
        let first = "\(seconds / units[place].1) \(units[place].0)"
        guard place + 1 < units.count, case let rest = seconds % units[place].1 / units[place + 1].1, rest > 0 else {
            return first
        }
        return first + " \(rest) \(units[place + 1].0)"
    }

    /// Returns a measured time in a unit that suits it, with three digits: `340 µs`, `12.3 ms`, `1.50 s`.
    package static func latency(_ seconds: Double) -> String {
        let units = [("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)]
        guard seconds.isFinite, seconds >= 0 else { return "-" }
        guard seconds < 1_000 else { return grouped(Int(min(seconds, 1e15).rounded())) + " s" }
        let unit = units.first { (seconds / $0.1 * 100).rounded() >= 100 } ?? units[2]
        let value = seconds / unit.1
        return fixed(value, places: value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + " " + unit.0
    }
}
