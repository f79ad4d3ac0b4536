/// A path as routes compare it: `/api/posts`, each segment behind a slash, percent-encoding undone.
///
/// Empty segments and a slash at the end do not count, and a query is no part of it: no spelling of a path that names
/// the same segments escapes its route. What else servers may take the path for is ``PathReadingClosure``'s.
enum PathReading {
    /// Reads a path as it stands: an encoded slash does not separate segments (RFC 3986 §2.2) and stays `%2F`, dot
    /// segments are segments as any.
    /// - Parameter output: has room for a byte more than the path.
    /// - Returns: how many bytes it takes, and whether every server reads the path so, but for case.
    static func read(
        _ path: UnsafeBufferPointer<UInt8>,
        into output: UnsafeMutableBufferPointer<UInt8>
    ) -> (count: Int, isPlain: Bool) {
        var (count, place, isBetween) = (0, 0, true)
        var isPlain = path.count < 2 || path[1] != Byte.slash
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
                isPlain = isPlain && !Byte.isReadInTwoWays(value, isFirst: isBetween, isEncoded: decoded != nil)
            }
            isBetween = false
        }
        return (count, isPlain)
    }

    /// The reading of a text, for what is compiled.
    static func bytes(of text: some StringProtocol) -> [UInt8] {
        Array(text.utf8).withUnsafeBufferPointer { path in
            [UInt8](unsafeUninitializedCapacity: path.count + 1) { output, count in
                count = read(path, into: output).count
            }
        }
    }
}

extension PathReading {
    /// The longest path, in bytes, that is looked at in every way. The responses for longer ones are not stored.
    private static let maximumLength = 2_048

    /// Returns true if each path that a server may take the path of a target for is accepted, in lower case; false if
    /// there are too many.
    /// - Parameter dropsExtensions: True if a path without its file extension is another reading of it.
    static func areAll(
        of target: UnsafeBufferPointer<UInt8>,
        dropsExtensions: Bool = false,
        _ isAccepted: (UnsafeBufferPointer<UInt8>) -> Bool
    ) -> Bool {
        let path = target.prefix { $0 != Byte.question }
        guard path.count <= maximumLength else { return false }
        return PathReadingClosure.areAll(of: path, dropsExtensions: dropsExtensions, isAccepted)
    }

    /// Returns the paths that servers may take a reading for that leave out file extensions: `/a.tar` and `/a` for
    /// `/a.tar.gz`.
    static func withoutExtensions(_ reading: UnsafeBufferPointer<UInt8>) -> [UnsafeBufferPointer<UInt8>] {
        let last = reading.lastIndex(of: Byte.slash) ?? 0
        var readings: [UnsafeBufferPointer<UInt8>] = []
        var end = reading.endIndex
        while let dot = reading[last..<end].lastIndex(of: Byte.dot), dot > last + 1 {
            readings.append(UnsafeBufferPointer(rebasing: reading[..<dot]))
            end = dot
        }
        return readings
    }

    /// Returns true if every server takes the path of a target for the same, case and file extensions aside: it has no
    /// empty and no dot segment, no parameters, no backslash, no control character, encoded or not, and nothing encoded
    /// that would separate segments, end the path or be encoded again; and no byte that a URL cannot have.
    package static func isUnambiguous(_ target: String) -> Bool {
        var target = target
        return target.withUTF8 { bytes in
            let path = bytes.prefix { $0 != Byte.question }
            guard path.allSatisfy({ (0x21...0x7E).contains($0) && $0 != Byte.hash }) else { return false }
            var (place, previous) = (path.startIndex, UInt8(0))
            while place < path.endIndex {
                let byte = path[place]
                place += 1
                if byte == Byte.slash, previous == Byte.slash { return false }
                previous = byte
                guard byte == Byte.percent else { continue }
                guard let decoded = Byte.decoded(bytes, at: place), decoded >= 0x20, decoded != 0x7F else {
                    return false
                }
            }
            var first: [UInt8]?
            return areAll(of: bytes) { reading in
                guard let first else {
                    first = Array(reading)
                    return true
                }
                return first.elementsEqual(reading)
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

    /// Returns true if a byte of a segment means something else to some servers, or may: a dot at the start may be a
    /// dot segment, and what was encoded may be decoded again.
    static func isReadInTwoWays(_ byte: UInt8, isFirst: Bool, isEncoded: Bool) -> Bool {
        switch byte {
        case backslash, semicolon, question, hash, 0, UInt8(ascii: "\n"), UInt8(ascii: "\r"): true
        case percent: isEncoded
        case dot: isFirst || isEncoded
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
