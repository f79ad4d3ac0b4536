/// The bytes that the grammars of HTTP fields are made of (RFC 9110 §5.6, RFC 5234).
enum ASCII {
    static let tab: UInt8 = 0x09
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let asterisk: UInt8 = 0x2A
    static let comma: UInt8 = 0x2C
    static let hyphen: UInt8 = 0x2D
    static let slash: UInt8 = 0x2F
    static let zero: UInt8 = 0x30
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let equals: UInt8 = 0x3D
    static let backslash: UInt8 = 0x5C

    static func isDigit(_ byte: UInt8) -> Bool {
        byte &- zero < 10
    }

    static func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26
    }

    /// Returns a letter in lower case, and any other byte unchanged.
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Returns true for optional whitespace: `OWS = *( SP / HTAB )` (RFC 9110 §5.6.3).
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == space || byte == tab
    }

    /// Returns true for a byte that a token may contain (RFC 9110 §5.6.2).
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
        default: isDigit(byte) || isLetter(byte)
        }
    }

    /// Returns the number that `digits` spell, or nil unless they are one or more digits. A greater number becomes
    /// `limit`.
    static func integer(_ digits: some Collection<UInt8>, limit: Int64) -> Int64? {
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
    func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        self.utf8.elementsEqual(other.utf8) { ASCII.lowercased($0) == ASCII.lowercased($1) }
    }

    /// The text with ASCII letters in lower case and all other bytes unchanged.
    var lowercasedASCII: String {
        String(decoding: self.utf8.map(ASCII.lowercased), as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends `%` and the two hexadecimal digits of `byte`.
    mutating func appendPercentEncoded(_ byte: UInt8) {
        self.append(UInt8(ascii: "%"))
        for digit in [byte >> 4, byte & 15] {
            self.append(digit < 10 ? ASCII.zero + digit : UInt8(ascii: "A") + digit - 10)
        }
    }
}
