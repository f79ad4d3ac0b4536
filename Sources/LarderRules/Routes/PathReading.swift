/// A path as routes compare it: `/api/posts`, each segment behind a slash, percent-encoding undone.
///
/// In both readings empty segments and a slash at the end do not count, and a query is no part of it: no spelling of a
/// path that names the same segments escapes its route.
enum PathReading {
    /// Reads a path as it stands: an encoded slash does not separate segments (RFC 3986 §2.2) and stays `%2F`, dot
    /// segments are segments as any.
    /// - Parameter output: has room for a byte more than the path.
    /// - Returns: how many bytes it takes, and whether servers may read the path otherwise: then the loose reading has
    ///   to be looked at.
    static func strict(
        _ path: UnsafeBufferPointer<UInt8>,
        into output: UnsafeMutableBufferPointer<UInt8>
    ) -> (count: Int, isPlain: Bool) {
        var (count, place, isPlain, isBetween) = (0, 0, true, true)
        func put(_ byte: UInt8) {
            output[count] = byte
            count += 1
        }
        while place < path.count {
            let byte = path[place]
            place += 1
            if byte == Byte.question || byte == Byte.hash { break }
            if byte == Byte.slash {
                isBetween = true
                continue
            }
            if isBetween { put(Byte.slash) }
            let decoded = byte == Byte.percent ? Byte.decoded(path, at: place) : nil
            if decoded != nil { place += 2 }
            switch decoded ?? byte {
            case Byte.slash:
                put(Byte.percent)
                put(UInt8(ascii: "2"))
                put(UInt8(ascii: "F"))
                isPlain = false
            case let value:
                put(value)
                isPlain = isPlain && !Byte.isRead(value, inTwoWaysAtStart: isBetween)
            }
            isBetween = false
        }
        return (count, isPlain)
    }

    /// Reads a path as the most lenient server would: an encoded slash and a backslash separate segments, dot segments
    /// lead up (RFC 3986 §5.2.4), what follows a `;` in a segment is left out, what follows an encoded `?`, `#` or NUL
    /// is no path, and letters are lower case.
    /// - Parameter output: has room for a byte more than the path.
    /// - Returns: how many bytes it takes.
    static func loose(
        _ path: UnsafeBufferPointer<UInt8>,
        into output: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        var (count, place, start, isBetween, isParameter) = (0, 0, 0, true, false)
        func endSegment() {
            let length = count - start
            if length == 2, output[start + 1] == Byte.dot {
                count = start
            } else if length == 3, output[start + 1] == Byte.dot, output[start + 2] == Byte.dot {
                count = start
                while count > 0 {
                    count -= 1
                    if output[count] == Byte.slash { break }
                }
            }
            (start, isBetween, isParameter) = (count, true, false)
        }
        while place < path.count {
            var byte = path[place]
            place += 1
            if byte == Byte.percent, let decoded = Byte.decoded(path, at: place) {
                byte = decoded
                place += 2
            }
            switch byte {
            case Byte.question, Byte.hash, 0: place = path.count
            case Byte.slash, Byte.backslash: endSegment()
            case Byte.semicolon: isParameter = true
            default:
                if isParameter { break }
                if isBetween {
                    output[count] = Byte.slash
                    count += 1
                }
                isBetween = false
                output[count] = Byte.lowercased(byte)
                count += 1
            }
        }
        endSegment()
        return count
    }

    /// The reading of a text, for what is compiled.
    static func bytes(of text: some StringProtocol, loosely: Bool) -> [UInt8] {
        Array(text.utf8).withUnsafeBufferPointer { path in
            [UInt8](unsafeUninitializedCapacity: path.count + 1) { output, count in
                count = loosely ? loose(path, into: output) : strict(path, into: output).count
            }
        }
    }
}

/// Bytes with a meaning in paths.
enum Byte {
    static let slash = UInt8(ascii: "/")
    static let backslash = UInt8(ascii: "\\")
    static let question = UInt8(ascii: "?")
    static let hash = UInt8(ascii: "#")
    static let percent = UInt8(ascii: "%")
    static let semicolon = UInt8(ascii: ";")
    static let dot = UInt8(ascii: ".")

    /// Whether a byte of a segment means something else to a lenient server, or may: a dot at the start may be a dot
    /// segment.
    static func isRead(_ byte: UInt8, inTwoWaysAtStart isFirst: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), backslash, semicolon, question, hash, 0: true
        case dot: isFirst
        default: false
        }
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// The byte that two hexadecimal digits stand for.
    static func decoded(_ bytes: UnsafeBufferPointer<UInt8>, at place: Int) -> UInt8? {
        guard place + 1 < bytes.count, let high = digit(bytes[place]), let low = digit(bytes[place + 1]) else {
            return nil
        }
        return high << 4 | low
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
