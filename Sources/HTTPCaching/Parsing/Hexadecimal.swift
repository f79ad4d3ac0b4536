/// Hexadecimal digits.
package enum Hexadecimal {
    /// Returns the value of a digit in either case; nil if the byte is not one.
    @inlinable
    package static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }

    /// Returns the digit of a value below 16, in upper case.
    @inlinable
    package static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x41 + value - 10 }

    /// Returns the two digits of each byte.
    package static func text(_ bytes: some Sequence<UInt8>, uppercase: Bool = false) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digit(byte >> 4))
            text.append(digit(byte & 0xF))
        }
        return String(decoding: uppercase ? text : text.map(ASCII.lowercased), as: UTF8.self)
    }
}
