import HTTPCaching

/// A search for the names in a query or in `Cookie` that some server may read as a name that a rule has.
///
/// A rule that makes a request bypass the cache must find every spelling of its names. Otherwise a client can choose a
/// spelling that the server understands and the cache does not. Servers are known to
/// - undo percent-encoding, some twice, and take `+` for a space;
/// - leave out white space, control characters and quotes around a name, and a `=` before it (Werkzeug before 2.2.3);
/// - end a name at NUL (PHP before 7.4.11), at a bracket (`preview[]`: PHP, Rack, qs) and, in a query, at a dot (qs
///   with `allowDots`), and leave out brackets before it (Rack);
/// - read a space, a dot and a bracket as `_` (PHP);
/// - ignore case (ASP.NET).
///
/// A name that is found by mistake costs a request to the origin. A name that is missed may store one client's response
/// for all clients. So each of these counts, in any order.
struct NameReader {
    private let patterns: [NamePattern]
    private let endsAtDot: Bool
    /// The name that is being examined. Its memory is used again for the next one, so that a long query allocates
    /// nothing.
    private var name: [UInt8] = []

    /// Creates a reader.
    /// - Parameter endsAtDot: True if a server may end a name at a dot.
    init(_ patterns: [NamePattern], endsAtDot: Bool) {
        self.patterns = patterns
        self.endsAtDot = endsAtDot
    }

    /// Returns true if the part of a piece before its `=`, or all of it, may be read as a name that a pattern matches.
    mutating func reads(_ piece: some Collection<UInt8>) -> Bool {
        let rest = piece.drop { $0 == UInt8(ascii: "=") || Self.isAround($0) }
        name.removeAll(keepingCapacity: true)
        name.append(contentsOf: rest.prefix { $0 != UInt8(ascii: "=") })
        if isMeant { return true }
        for _ in 0..<2 {
            guard decode() else { return false }
            if isMeant { return true }
        }
        return false
    }

    private var isMeant: Bool {
        var rest = name.prefix { $0 != 0 }.drop(while: Self.isAround)
        while let last = rest.last, Self.isAround(last) { rest.removeLast() }
        if isMeant(rest) { return true }
        let inner = rest.drop { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "]") }
        return inner.count < rest.count && isMeant(inner)
    }

    private func isMeant(_ name: ArraySlice<UInt8>) -> Bool {
        patterns.contains { $0.isRead(in: name, endsAtDot: endsAtDot) }
    }

    /// Decodes one layer of encoding.
    /// - Returns: False if there is none.
    private mutating func decode() -> Bool {
        var (place, count) = (0, 0)
        while place < name.count {
            var byte = name[place]
            place += 1
            if let (decoded, _) = PercentEncoding.decode(byte, before: name[place...]) {
                byte = decoded
                place += 2
            } else if byte == UInt8(ascii: "+") {
                byte = UInt8(ascii: " ")
            }
            name[count] = byte
            count += 1
        }
        let isChanged = count < name.count || name.contains(UInt8(ascii: " "))
        name.removeLast(name.count - count)
        return isChanged
    }

    /// Returns true for a byte that a server may leave out at either end of a name: white space in any encoding (every
    /// byte beyond ASCII counts), control characters, and quotes.
    private static func isAround(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
    }
}

extension NamePattern {
    /// Returns true if a server may read a name as one that the pattern matches, without regard to brackets, dots and
    /// case.
    fileprivate func isRead(in name: ArraySlice<UInt8>, endsAtDot: Bool) -> Bool {
        guard name.count >= folded.count, zip(name, folded).allSatisfy({ Self.folded($0) == $1 }) else { return false }
        guard name.count > folded.count, !isPrefix else { return true }
        switch name[name.startIndex + folded.count] {
        case UInt8(ascii: "["), UInt8(ascii: "]"): return true
        case UInt8(ascii: "."): return endsAtDot
        default: return false
        }
    }

    /// Returns the byte that represents all bytes that servers may read as the same one.
    static func folded(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "["), UInt8(ascii: " "): UInt8(ascii: "_")
        default: ASCII.lowercased(byte)
        }
    }
}
