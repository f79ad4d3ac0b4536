/// The percent-encoding of single bytes (RFC 3986 §2.1).
enum PercentEncoding {
    /// Returns the byte that `%XX` encodes, and the bytes after it; nil unless `byte` begins such a triplet.
    static func decode<Rest: Collection<UInt8>>(
        _ byte: UInt8,
        before rest: Rest
    ) -> (byte: UInt8, rest: Rest.SubSequence)? {
        guard byte == UInt8(ascii: "%") else { return nil }
        var digits = rest[...]
        guard let high = digits.popFirst().flatMap(value), let low = digits.popFirst().flatMap(value) else {
            return nil
        }
        return (high << 4 | low, digits)
    }

    /// Returns bytes with every `%XX` in them decoded, once. A `%` without two hexadecimal digits stays as it is.
    static func decoded(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            if let (value, after) = decode(byte, before: rest) {
                output.append(value)
                rest = after
            } else {
                output.append(byte)
            }
        }
        return output
    }

    /// Returns a text with every `%XX` in it decoded, once.
    static func decoded(_ text: String) -> String {
        String(decoding: decoded(text.utf8), as: UTF8.self)
    }

    /// Appends a byte as it is if it is visible ASCII without a meaning in a key, otherwise as `%XX`.
    static func append(_ byte: UInt8, to text: inout [UInt8], escaping: Bool) {
        let isPlain =
            (0x21...0x7E).contains(byte)
            && byte != UInt8(ascii: "%") && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
        if isPlain, !escaping {
            text.append(byte)
        } else {
            text.append(UInt8(ascii: "%"))
            text.append(digit(byte >> 4))
            text.append(digit(byte & 0xF))
        }
    }

    /// Returns true if a byte has the same meaning encoded and not encoded (RFC 3986 §2.3).
    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

// MARK: - Spellings

extension PercentEncoding {
    /// Returns a text in its normal form: "URIs that differ in the replacement of an unreserved character with its
    /// corresponding percent-encoded US-ASCII octet are equivalent", and "the hexadecimal digits within a
    /// percent-encoding triplet […] are case-insensitive" (RFC 3986 §2.3, §6.2.2.1).
    static func normalized(_ text: String) -> String {
        text.utf8.contains(UInt8(ascii: "%")) ? rewritten(text, isUpper: true, decodesUnreserved: true) : text
    }

    /// Returns the spellings that clients commonly have for the same URL: the text itself first, then with the
    /// hexadecimal digits in upper case and in lower case, with unreserved characters as they are in the text and
    /// decoded.
    static func spellings(of text: String) -> [String] {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return [text] }
        var spellings = [text]
        for decodes in [false, true] {
            for isUpper in [true, false] {
                let spelling = rewritten(text, isUpper: isUpper, decodesUnreserved: decodes)
                if !spellings.contains(spelling) { spellings.append(spelling) }
            }
        }
        return spellings
    }

    private static func rewritten(_ text: String, isUpper: Bool, decodesUnreserved: Bool) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        var rest = Substring(text).utf8[...]
        while let byte = rest.popFirst() {
            guard let (value, after) = decode(byte, before: rest) else {
                output.append(byte)
                continue
            }
            rest = after
            if decodesUnreserved, isUnreserved(value) {
                output.append(value)
            } else {
                output.append(byte)
                for half in [value >> 4, value & 0xF] {
                    let digit = digit(half)
                    output.append(isUpper || half < 10 ? digit : digit | 0x20)
                }
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
