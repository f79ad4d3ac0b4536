/// The form of a path that routes compare: `/api/posts`, with a slash before each segment and percent-encoding decoded.
///
/// Empty segments, a slash at the end and the query are left out, so that all spellings of a path with the same
/// segments match the same route. ``PathReadingClosure`` has the other paths that servers may take a path for.
enum PathReading {
    /// Reads a path as it is written: an encoded slash does not separate segments (RFC 3986 §2.2) and remains `%2F`,
    /// and dot segments are not resolved.
    /// - Parameter output: A buffer for the reading, one byte longer than the path.
    /// - Returns: The number of bytes of the reading, and true if every server reads the path in this way, except for
    ///   case.
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

    /// Returns the reading of a text, for compiled patterns.
    static func bytes(of text: some StringProtocol) -> [UInt8] {
        Array(text.utf8).withUnsafeBufferPointer { path in
            [UInt8](unsafeUninitializedCapacity: path.count + 1) { output, count in
                count = read(path, into: output).count
            }
        }
    }
}

extension PathReading {
    /// The maximum length of a path whose readings are examined: 2,048 bytes. The responses for longer paths are not
    /// stored.
    private static let maximumLength = 2_048

    /// Returns true if every path that a server may take the path of a target for is accepted. Returns false if there
    /// are too many. The paths are in lower case.
    /// - Parameter dropsExtensions: True if a path without its file extension is one of its readings.
    static func areAll(
        of target: UnsafeBufferPointer<UInt8>,
        dropsExtensions: Bool = false,
        _ isAccepted: (UnsafeBufferPointer<UInt8>) -> Bool
    ) -> Bool {
        let path = target.prefix { $0 != Byte.question }
        guard path.count <= maximumLength else { return false }
        return PathReadingClosure.areAll(of: path, dropsExtensions: dropsExtensions, isAccepted)
    }

    /// Returns a path without the file extension of its last segment, which some servers take for the format of the
    /// response: `/a.tar` for `/a.tar.gz`. Nil if the segment has no dot behind its first byte.
    static func withoutExtension<Path: BidirectionalCollection<UInt8>>(_ path: Path) -> Path.SubSequence? {
        let segment = path.lastIndex(of: Byte.slash).map { path[path.index(after: $0)...] } ?? path[...]
        guard let dot = segment.lastIndex(of: Byte.dot), dot > segment.startIndex else { return nil }
        return path[..<dot]
    }

    /// Returns true if all servers read the path of a target alike, except for case and file extensions. Such a path
    /// does not contain an empty segment, a dot segment, parameters, a backslash or a control character, encoded or
    /// not, or an encoded character that would separate segments, end the path or be decoded twice, or a byte that a
    /// URL cannot have.
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

/// The bytes that have a meaning in paths.
enum Byte {
    static let slash = UInt8(ascii: "/")
    static let backslash = UInt8(ascii: "\\")
    static let question = UInt8(ascii: "?")
    static let hash = UInt8(ascii: "#")
    static let percent = UInt8(ascii: "%")
    static let semicolon = UInt8(ascii: ";")
    static let dot = UInt8(ascii: ".")

    /// Returns true if a byte that was encoded ends the path for some servers.
    static func endsPath(_ byte: UInt8) -> Bool {
        switch byte {
        case question, hash, 0, UInt8(ascii: "\n"), UInt8(ascii: "\r"): true
        default: false
        }
    }

    /// Returns true if some servers interpret a byte of a segment differently, or may do so: a dot at the start may
    /// begin a dot segment, and an encoded percent sign may be decoded again.
    static func isReadInTwoWays(_ byte: UInt8, isFirst: Bool, isEncoded: Bool) -> Bool {
        switch byte {
        case backslash, semicolon: true
        case _ where endsPath(byte): true
        case percent: isEncoded
        case dot: isFirst || isEncoded
        default: false
        }
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// Returns the byte that two hexadecimal digits stand for; nil if there are not two digits.
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
