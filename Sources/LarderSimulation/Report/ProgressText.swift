/// The line that shows how much of a log was read.
package enum ProgressText {
    private static let width = 30

    /// Returns the line, such as `[###-----] 37 %, 1,000,000 requests`.
    /// - Parameter part: The part of the log that was read, 0 to 1; nil if its length is not known.
    package static func line(part: Double?, requests: Int) -> String {
        line(part: part, "\(NumberText.grouped(requests)) requests")
    }

    /// Returns the line with another text after the part that was read.
    package static func line(part: Double?, _ count: String) -> String {
        guard let part, part.isFinite else { return count }
        let read = min(max(part, 0), 1)
        let full = Int(read * Double(width))
        let bar = String(repeating: "#", count: full) + String(repeating: "-", count: width - full)
        return "[\(bar)] \(Int(read * 100)) %, \(count)"
    }
}
