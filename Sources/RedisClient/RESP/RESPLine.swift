import NIOCore

/// One line of RESP3: a complete value, or the header of a longer one.
enum RESPLine {
    case value(RESPValue)
    case bulk(Bulk, length: Int)
    /// The header of an aggregate. `count` is the number on the wire, which for maps and attributes counts pairs.
    case aggregate(Aggregate, count: Int)

    enum Bulk { case string, error, verbatim }
    enum Aggregate { case array, set, map, push, attribute }
}

extension RESPLine {
    /// Creates a line from its text without the CRLF.
    init(parsing line: ByteBuffer) throws(RESPViolation) {
        var rest = line
        guard let type = rest.readInteger(as: UInt8.self) else { throw .malformed(.ending) }
        switch type {
        case UInt8(ascii: "+"): self = .value(.status(String(buffer: rest)))
        case UInt8(ascii: "-"): self = .value(.error(RedisReplyError(String(buffer: rest))))
        case UInt8(ascii: ":"): self = .value(.integer(try Self.integer(rest, of: .integer)))
        case UInt8(ascii: ","): self = .value(.double(try Self.double(rest)))
        case UInt8(ascii: "("): self = .value(.bigNumber(try Self.bigNumber(rest)))
        case UInt8(ascii: "#"): self = .value(.boolean(try Self.boolean(rest)))
        case UInt8(ascii: "_"):
            guard rest.readableBytes == 0 else { throw .malformed(.null) }
            self = .value(.null)
        case UInt8(ascii: "$"): self = try Self.length(rest).map { .bulk(.string, length: $0) } ?? .value(.null)
        case UInt8(ascii: "*"): self = try Self.length(rest).map { .aggregate(.array, count: $0) } ?? .value(.null)
        case UInt8(ascii: "!"): self = .bulk(.error, length: try Self.definiteLength(rest))
        case UInt8(ascii: "="): self = .bulk(.verbatim, length: try Self.definiteLength(rest))
        case UInt8(ascii: "~"): self = .aggregate(.set, count: try Self.definiteLength(rest))
        case UInt8(ascii: "%"): self = .aggregate(.map, count: try Self.definiteLength(rest))
        case UInt8(ascii: "|"): self = .aggregate(.attribute, count: try Self.definiteLength(rest))
        case UInt8(ascii: ">"): self = .aggregate(.push, count: try Self.definiteLength(rest))
        // ";" is a chunk of a streamed string, "." the end of a streamed aggregate.
        case UInt8(ascii: ";"), UInt8(ascii: "."): throw .streamed
        default: throw .unknownType(type)
        }
    }

    /// Returns a length or count, or nil for RESP2's -1, which means null.
    private static func length(_ text: ByteBuffer) throws(RESPViolation) -> Int? {
        let bytes = text.readableBytesUInt8Span
        if bytes.count == 1, bytes[0] == UInt8(ascii: "?") { throw .streamed }
        let number = try integer(text, of: .length)
        if number == -1 { return nil }
        guard number >= 0, let length = Int(exactly: number) else { throw .malformed(.length) }
        return length
    }

    private static func definiteLength(_ text: ByteBuffer) throws(RESPViolation) -> Int {
        guard let length = try length(text) else { throw .malformed(.length) }
        return length
    }

    private static func integer(_ text: ByteBuffer, of line: RESPViolation.Line) throws(RESPViolation) -> Int64 {
        guard let number = integer(text.readableBytesUInt8Span) else { throw .malformed(line) }
        return number
    }

    /// Returns the number written as an optional sign and at least one digit, within 64 bits; nil if the text is not
    /// one.
    private static func integer(_ text: Span<UInt8>) -> Int64? {
        guard !text.isEmpty else { return nil }
        let isNegative = text[0] == UInt8(ascii: "-")
        let start = isNegative || text[0] == UInt8(ascii: "+") ? 1 : 0
        guard start < text.count else { return nil }
        var number: Int64 = 0
        for place in start..<text.count {
            guard isDigit(text[place]) else { return nil }
            let digit = Int64(text[place] - UInt8(ascii: "0"))
            let (shifted, overflow) = number.multipliedReportingOverflow(by: 10)
            // Negative numbers are counted downwards, because the smallest has no positive counterpart.
            let (sum, carry) =
                isNegative ? shifted.subtractingReportingOverflow(digit) : shifted.addingReportingOverflow(digit)
            guard !overflow, !carry else { return nil }
            number = sum
        }
        return number
    }

    private static func double(_ text: ByteBuffer) throws(RESPViolation) -> Double {
        // Versions in the log are whole numbers.
        if let number = integer(text.readableBytesUInt8Span), number != 0 || text.readableBytes == 1 {
            return Double(number)
        }
        switch String(buffer: text) {
        case "inf", "+inf": return .infinity
        case "-inf": return -.infinity
        case "nan", "-nan": return .nan
        case let text:
            // Swift reads hexadecimal and "infinity" too; RESP3 has neither.
            guard text.utf8.allSatisfy({ isDigit($0) || "+-.eE".utf8.contains($0) }), let number = Double(text) else {
                throw .malformed(.double)
            }
            return number
        }
    }

    private static func bigNumber(_ text: ByteBuffer) throws(RESPViolation) -> String {
        let number = String(buffer: text)
        let digits =
            number.utf8.first.map { "+-".utf8.contains($0) } == true ? number.utf8.dropFirst() : number.utf8[...]
        guard !digits.isEmpty, digits.allSatisfy(isDigit) else { throw .malformed(.bigNumber) }
        return number
    }

    private static func boolean(_ text: ByteBuffer) throws(RESPViolation) -> Bool {
        switch String(buffer: text) {
        case "t": return true
        case "f": return false
        default: throw .malformed(.boolean)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
