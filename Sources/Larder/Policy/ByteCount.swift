import HTTPCaching

/// A number of bytes, with its unit in the call: `.mebibytes(256)`.
public struct ByteCount: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number of bytes, never negative.
    public let bytes: Int

    /// Returns a number of bytes; 0 if `count` is negative.
    public static func bytes(_ count: Int) -> ByteCount { ByteCount(bytes: max(0, count)) }

    /// Returns a number of KiB (1,024 bytes), clamped to the range of `Int`.
    public static func kibibytes(_ count: Int) -> ByteCount { scaled(count, by: 1 << 10) }

    /// Returns a number of MiB (1,048,576 bytes), clamped to the range of `Int`.
    public static func mebibytes(_ count: Int) -> ByteCount { scaled(count, by: 1 << 20) }

    /// Returns a number of GiB (1,073,741,824 bytes), clamped to the range of `Int`.
    public static func gibibytes(_ count: Int) -> ByteCount { scaled(count, by: 1 << 30) }

    /// Creates a number of bytes from `1048576`, `512KiB`, `256MiB` or `4GiB`, as configuration files have it; nil for
    /// any other text.
    public init?(_ text: String) {
        let units: [(suffix: String, factor: Int)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
        let unit = units.first { text.hasSuffix($0.suffix) }
        let digits = text.dropLast(unit?.suffix.count ?? 0)
        guard !digits.isEmpty, digits.utf8.allSatisfy(ASCII.isDigit),
            let count = Int(digits)
        else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit?.factor ?? 1)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    private init(bytes: Int) {
        self.bytes = bytes
    }

    private static func scaled(_ count: Int, by factor: Int) -> ByteCount {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: factor)
        return .bytes(overflow ? (count < 0 ? 0 : .max) : bytes)
    }

    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }

    public var description: String {
        for (suffix, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        where bytes >= factor && bytes.isMultiple(of: factor) {
            return "\(bytes / factor)\(suffix)"
        }
        return "\(bytes)"
    }
}
