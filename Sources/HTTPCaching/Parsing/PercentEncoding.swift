/// The percent-encoding of single bytes (RFC 3986 §2.1).
package enum PercentEncoding {
    /// Returns the byte that `%XX` encodes, and the bytes after it; nil unless `byte` begins such a triplet.
    package static func decode(
        _ byte: UInt8,
        before rest: Substring.UTF8View
    ) -> (byte: UInt8, rest: Substring.UTF8View)? {
        triplet(byte, rest)
    }

    /// Returns the byte that `%XX` encodes, and the bytes after it; nil unless `byte` begins such a triplet.
    package static func decode(
        _ byte: UInt8,
        before rest: ArraySlice<UInt8>
    ) -> (byte: UInt8, rest: ArraySlice<UInt8>)? {
        triplet(byte, rest)
    }

    // The compiler specializes generic functions only inside their module, and a request calls these for every byte of
    // its path: the functions that other modules call are not generic.
    private static func triplet<Rest: Collection<UInt8>>(_ byte: UInt8, _ rest: Rest) -> (byte: UInt8, rest: Rest)?
    where Rest.SubSequence == Rest {
        guard byte == ASCII.percent else { return nil }
        var digits = rest
        guard let high = digits.popFirst().flatMap(Hexadecimal.value),
            let low = digits.popFirst().flatMap(Hexadecimal.value)
        else {
            return nil
        }
        return (high << 4 | low, digits)
    }

    /// Returns the byte that the two hexadecimal digits at a place stand for; nil if there are not two digits.
    package static func byte(ofDigits bytes: UnsafeBufferPointer<UInt8>, at place: Int) -> UInt8? {
        guard place + 1 < bytes.count, let high = Hexadecimal.value(bytes[place]),
            let low = Hexadecimal.value(bytes[place + 1])
        else { return nil }
        return high << 4 | low
    }

    /// Returns bytes with every `%XX` in them decoded, once. A `%` without two hexadecimal digits stays as it is.
    package static func decoded(_ bytes: ArraySlice<UInt8>) -> [UInt8] { decodingTriplets(in: bytes) }

    /// Returns bytes with every `%XX` in them decoded, once.
    package static func decoded(_ bytes: [UInt8]) -> [UInt8] { decodingTriplets(in: bytes[...]) }

    /// Returns bytes with every `%XX` in them decoded, once.
    package static func decoded(_ bytes: Substring.UTF8View) -> [UInt8] { decodingTriplets(in: bytes) }

    /// Returns a text with every `%XX` in it decoded, once.
    package static func decoded(_ text: String) -> String {
        String(decoding: decodingTriplets(in: Substring(text).utf8), as: UTF8.self)
    }

    private static func decodingTriplets<Bytes: Collection<UInt8>>(in bytes: Bytes) -> [UInt8]
    where Bytes.SubSequence == Bytes {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var rest = bytes
        while let byte = rest.popFirst() {
            if let (value, after) = triplet(byte, rest) {
                output.append(value)
                rest = after
            } else {
                output.append(byte)
            }
        }
        return output
    }

    /// Appends a byte as it is if it is visible ASCII without a meaning in a key, otherwise as `%XX`.
    package static func append(_ byte: UInt8, to text: inout [UInt8], escaping: Bool) {
        let isPlain =
            (0x21...0x7E).contains(byte)
            && byte != ASCII.percent && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
        if isPlain, !escaping {
            text.append(byte)
        } else {
            append(byte, to: &text)
        }
    }

    /// Appends a text with every byte percent-encoded that is not unreserved (RFC 3986 §2.3).
    package static func append(_ text: String, to output: inout [UInt8]) {
        for byte in text.utf8 {
            if ASCII.isUnreserved(byte) { output.append(byte) } else { append(byte, to: &output) }
        }
    }

    /// Returns a text in the form that is safe to log: its first 1,024 bytes, with all but visible ASCII
    /// percent-encoded.
    package static func printable(_ text: String) -> String {
        var output: [UInt8] = []
        for byte in text.utf8.prefix(1_024) {
            if (0x21...0x7E).contains(byte) { output.append(byte) } else { append(byte, to: &output) }
        }
        return String(decoding: output, as: UTF8.self) + (text.utf8.count > 1_024 ? "…" : "")
    }

    /// Appends `%` and the two hexadecimal digits of a byte.
    package static func append(_ byte: UInt8, to text: inout [UInt8]) {
        text.append(ASCII.percent)
        text.append(Hexadecimal.digit(byte >> 4))
        text.append(Hexadecimal.digit(byte & 0xF))
    }
}

// MARK: - Spellings

extension PercentEncoding {
    /// Returns a text in its normal form: "URIs that differ in the replacement of an unreserved character with its
    /// corresponding percent-encoded US-ASCII octet are equivalent", and "the hexadecimal digits within a
    /// percent-encoding triplet […] are case-insensitive" (RFC 3986 §2.3, §6.2.2.1).
    package static func normalized(_ text: String) -> String {
        text.utf8.contains(ASCII.percent) ? rewritten(text, isUpper: true, decodesUnreserved: true) : text
    }

    /// Returns the spellings that clients commonly have for the same URL: the text itself first, then with the
    /// hexadecimal digits in upper case and in lower case, with unreserved characters as they are in the text and
    /// decoded.
    package static func spellings(of text: String) -> [String] {
        guard text.utf8.contains(ASCII.percent) else { return [text] }
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
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            guard let (value, after) = triplet(byte, rest) else {
                output.append(byte)
                continue
            }
            rest = after
            if decodesUnreserved, ASCII.isUnreserved(value) {
                output.append(value)
            } else {
                output.append(byte)
                for half in [value >> 4, value & 0xF] {
                    let digit = Hexadecimal.digit(half)
                    output.append(isUpper || half < 10 ? digit : digit | 0x20)
                }
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
