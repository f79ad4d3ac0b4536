/// The fields of a line of a log that a simulation needs, as places in the line or as what they say.
struct LogFields {
    /// A text of a line.
    enum Text {
        case absent
        /// The place of the text in the line.
        case place(Range<Int>)
        /// The text without the escapes that it has in the line.
        case bytes([UInt8])

        /// True if the line does not have the text, or an empty one.
        var isEmpty: Bool {
            switch self {
            case .absent: true
            case .place(let place): place.isEmpty
            case .bytes(let bytes): bytes.isEmpty
            }
        }
    }

    /// The time of the request, in nanoseconds since the Unix epoch or since the start of the log.
    var time: Int64?
    var method = Text.absent
    var target = Text.absent
    var query = Text.absent
    var host = Text.absent
    var status: Int?
    /// The number of bytes that were sent, or that the response has.
    var size: Int?
    /// True if the log names a user: the request had credentials.
    var hasUser = false
    /// The value of the response's `Cache-Control`.
    var cacheControl = Text.absent
    /// True if the line is a row of a trace, which has a key in place of a request.
    var isRow = false
}

/// The reason why a line of a log cannot be read: what was expected.
package enum LineFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line is longer than the limit for lines.
    case tooLong
    /// A part of the line is missing or is something else.
    case expected(String)

    package var description: String {
        switch self {
        case .tooLong: "it is longer than \(LineReader.lineLimit / 1_024) KiB"
        case .expected(let what): "expected \(what)"
        }
    }

    static let time = LineFault.expected("a time in square brackets, such as [06/Nov/1994:08:49:37 +0000]")
    static let request = LineFault.expected("a request in quotes, such as \"GET /a HTTP/1.1\"")
    static let status = LineFault.expected("a status of three digits after the request")
    static let size = LineFault.expected("the number of bytes sent, or -, after the status")
    static let json = LineFault.expected("one JSON object")
    static let jsonTime = LineFault.expected("a time in the field time, ts, timestamp or time_iso8601")
    static let jsonRequest = LineFault.expected("a request in the field request, or in method and uri")
    static let jsonStatus = LineFault.expected("a status of three digits in the field status")
    static let row = LineFault.expected("the columns time, key and size, such as 12.5,abc,1024, or a key alone")
}

/// A reader of a text of a log, by the places of its bytes. It never leaves the text.
struct ByteScanner {
    let bytes: ArraySlice<UInt8>
    var place: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        self.place = bytes.startIndex
    }

    var isAtEnd: Bool { place >= bytes.endIndex }

    /// The next byte; 0 at the end, which no text of a log has.
    var next: UInt8 { place < bytes.endIndex ? bytes[place] : 0 }

    /// Consumes a byte if it is next.
    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte, !isAtEnd else { return false }
        place += 1
        return true
    }

    @inline(__always)
    mutating func skip(while isSkipped: (UInt8) -> Bool) {
        while place < bytes.endIndex, isSkipped(bytes[place]) { place += 1 }
    }

    /// Consumes bytes up to one of another kind, and returns their place.
    @inline(__always)
    mutating func token(while isPart: (UInt8) -> Bool) -> Range<Int> {
        let start = place
        skip(while: isPart)
        return start..<place
    }

    /// Consumes a text up to a quote that is not escaped, and the quote. Returns its place; nil if there is no quote.
    mutating func quoted() -> (place: Range<Int>, isEscaped: Bool)? {
        let start = place
        var isEscaped = false
        while place < bytes.endIndex, bytes[place] != UInt8(ascii: "\"") {
            let isEscape = bytes[place] == UInt8(ascii: "\\")
            isEscaped = isEscaped || isEscape
            place += isEscape ? 2 : 1
        }
        let end = place
        return take(UInt8(ascii: "\"")) ? (start..<end, isEscaped) : nil
    }

    /// Consumes digits and returns their number; nil if there are none or too many.
    mutating func number() -> Int? {
        var (value, count) = (0, 0)
        while next &- 48 < 10 {
            guard count < 18 else { return nil }
            value = value * 10 + Int(next &- 48)
            count += 1
            place += 1
        }
        return count == 0 ? nil : value
    }

    /// Consumes exactly `count` digits, and returns their number.
    mutating func digits(_ count: Int) -> Int? {
        let start = place
        guard let value = number(), place - start == count else { return nil }
        return value
    }
}
