/// A reader of the lines of a source. It holds one piece of the source and one line, however long the source is.
package struct LineReader {
    /// The length of the longest line that is read, in bytes: 64 KiB.
    package static let lineLimit = 64 * 1_024

    /// A line of the source.
    package enum Line {
        /// The place of the line in ``bytes``, without the characters that end it.
        case text(Range<Int>)
        /// A line that is longer than ``LineReader/lineLimit``.
        case tooLong
    }

    private let source: any ByteSource
    /// The current bytes of the source, of which a line is a part.
    package private(set) var bytes: [UInt8] = []
    private var place = 0
    private var isAtEnd = false

    package init(_ source: any ByteSource) { self.source = source }

    /// Returns the next line; nil at the end. An empty line is a line, and one without an end is, too.
    package mutating func next() throws -> Line? {
        var searched = place
        while true {
            if let end = Self.lineEnd(in: bytes, from: searched) {
                let start = place
                place = end + 1
                return end - start > Self.lineLimit ? .tooLong : .text(trimmed(start..<end))
            }
            if isAtEnd {
                let start = place
                place = bytes.count
                guard start < place else { return nil }
                return place - start > Self.lineLimit ? .tooLong : .text(trimmed(start..<place))
            }
            if bytes.count - place > Self.lineLimit {
                try skipLine()
                return .tooLong
            }
            searched = bytes.count - place
            bytes.removeFirst(place)
            place = 0
            if let piece = try source.next() { bytes += piece } else { isAtEnd = true }
        }
    }

    private static func lineEnd(in bytes: [UInt8], from start: Int) -> Int? {
        bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
    }

    /// Skips the rest of a line without holding it.
    private mutating func skipLine() throws {
        while let piece = try source.next() {
            if let end = Self.lineEnd(in: piece, from: 0) {
                (bytes, place) = (piece, end + 1)
                return
            }
        }
        (bytes, place, isAtEnd) = ([], 0, true)
    }

    private func trimmed(_ line: Range<Int>) -> Range<Int> {
        guard let last = line.last, bytes[last] == UInt8(ascii: "\r") else { return line }
        return line.lowerBound..<last
    }
}
