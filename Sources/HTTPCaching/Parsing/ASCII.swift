/// The bytes that the grammars of HTTP fields and URIs are made of (RFC 9110 §5.6, RFC 3986, RFC 5234).
///
/// The bytes are computed and inlined: other modules compare them in loops over paths and fields, and would look up a
/// stored constant each time.
package enum ASCII {
    @inlinable package static var tab: UInt8 { 0x09 }
    @inlinable package static var space: UInt8 { 0x20 }
    @inlinable package static var quote: UInt8 { 0x22 }
    @inlinable package static var asterisk: UInt8 { 0x2A }
    @inlinable package static var comma: UInt8 { 0x2C }
    @inlinable package static var hyphen: UInt8 { 0x2D }
    @inlinable package static var slash: UInt8 { 0x2F }
    @inlinable package static var zero: UInt8 { 0x30 }
    @inlinable package static var colon: UInt8 { 0x3A }
    @inlinable package static var semicolon: UInt8 { 0x3B }
    @inlinable package static var equals: UInt8 { 0x3D }
    @inlinable package static var backslash: UInt8 { 0x5C }
    @inlinable package static var question: UInt8 { 0x3F }
    @inlinable package static var hash: UInt8 { 0x23 }
    @inlinable package static var percent: UInt8 { 0x25 }
    @inlinable package static var dot: UInt8 { 0x2E }

    @inlinable
    package static func isDigit(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10
    }

    @inlinable
    package static func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26
    }

    /// Returns a letter in lower case, and any other byte unchanged.
    @inlinable
    package static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Returns true for optional whitespace: `OWS = *( SP / HTAB )` (RFC 9110 §5.6.3).
    @inlinable
    package static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == space || byte == tab
    }

    /// Returns true if a byte has the same meaning in a URI percent-encoded and not (RFC 3986 §2.3).
    @inlinable
    package static func isUnreserved(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || byte == hyphen || byte == dot || byte == 0x5F || byte == 0x7E
    }

    /// Returns true for a byte that a token may contain (RFC 9110 §5.6.2).
    @inlinable
    package static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
        default: isDigit(byte) || isLetter(byte)
        }
    }

    /// Returns the number that `digits` spell, or `limit` if that is lower; nil unless they are one or more digits.
    package static func integer(_ digits: some Collection<UInt8>, limit: Int64) -> Int64? {
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for byte in digits {
            guard isDigit(byte) else { return nil }
            // The product fits if the limit is at most `.max / 16`; beyond the limit the digits are only checked.
            if value < limit {
                value = min(limit, value &* 10 &+ Int64(byte &- zero))
            }
        }
        return value
    }
}

extension Substring.UTF8View {
    /// The bytes without optional whitespace at either end.
    ///
    /// Fields are parsed by bytes: a `Character` can be several of them, such as a comma with a combining accent.
    var trimmingWhitespace: Substring.UTF8View {
        var bytes = self
        while let first = bytes.first, ASCII.isWhitespace(first) { bytes.removeFirst() }
        while let last = bytes.last, ASCII.isWhitespace(last) { bytes.removeLast() }
        return bytes
    }
}

extension StringProtocol {
    /// Returns true if the texts are equal, ignoring the case of ASCII letters.
    package func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        utf8.elementsEqual(other.utf8) { ASCII.lowercased($0) == ASCII.lowercased($1) }
    }

    /// The text with ASCII letters in lower case and all other bytes unchanged.
    package var lowercasedASCII: String {
        String(decoding: utf8.map(ASCII.lowercased), as: UTF8.self)
    }
}
