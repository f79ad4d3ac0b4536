/// Lists of names with weights, such as `gzip, br;q=0.5` (RFC 9110 §12.4.2).
enum WeightedList {
    typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

    /// Calls `body` with the name and the weight in thousandths of each member, or with the whole member and nil if
    /// it does not follow the grammar. Does not allocate: it runs for most hits.
    static func forEachMember(of value: UnsafeBufferPointer<UInt8>, _ body: (Bytes, Int?) -> Void) {
        var rest = value[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: ASCII.comma) ?? rest.endIndex
            let member = trimmed(rest[..<end])
            rest = end == rest.endIndex ? rest[end...] : rest[(end + 1)...]
            guard !member.isEmpty else { continue }
            let endOfName = member.firstIndex(of: ASCII.semicolon) ?? member.endIndex
            let name = trimmed(member[..<endOfName])
            var weight: Int? = 1_000
            if endOfName < member.endIndex {
                weight = Self.weight(trimmed(member[(endOfName + 1)...]))
            }
            if !name.isEmpty, name.allSatisfy(ASCII.isToken), let weight {
                body(name, weight)
            } else {
                body(member, nil)
            }
        }
    }

    /// Returns the thousandths of a weight, or nil if the text is not one:
    ///
    ///     weight = OWS ";" OWS "q=" qvalue
    ///     qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
    private static func weight(_ text: Bytes) -> Int? {
        let text = Array(text.prefix(8))
        guard (3...7).contains(text.count), ASCII.lowercased(text[0]) == UInt8(ascii: "q"), text[1] == ASCII.equals,
            text[2] == ASCII.zero || text[2] == ASCII.zero + 1
        else { return nil }
        var thousandths = Int(text[2] - ASCII.zero) * 1_000
        guard text.count > 3 else { return thousandths }
        guard text[3] == UInt8(ascii: ".") else { return nil }
        var place = 100
        for byte in text[4...] {
            guard ASCII.isDigit(byte) else { return nil }
            thousandths += Int(byte - ASCII.zero) * place
            place /= 10
        }
        return thousandths <= 1_000 ? thousandths : nil
    }

    private static func trimmed(_ bytes: Bytes) -> Bytes {
        var bytes = bytes
        while let first = bytes.first, ASCII.isWhitespace(first) { bytes.removeFirst() }
        while let last = bytes.last, ASCII.isWhitespace(last) { bytes.removeLast() }
        return bytes
    }
}
