import HTTPCaching

/// The form of a path that routes compare: `/api/posts`, with a slash before each segment and percent-encoding decoded.
///
/// Empty segments, a slash at the end and the query are left out, so that all spellings of a path with the same
/// segments match the same route. ``PathReadingClosure`` has the other paths that servers may take a path for.
enum RoutePath {
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
        var isPlain = path.count < 2 || path[1] != ASCII.slash
        func put(_ byte: UInt8) {
            output[count] = byte
            count += 1
        }
        while place < path.count {
            let byte = path[place]
            place += 1
            if byte == ASCII.question || byte == ASCII.hash { break }
            if byte == ASCII.slash {
                isBetween = true
                continue
            }
            if isBetween { put(ASCII.slash) }
            let decoded = byte == ASCII.percent ? PercentEncoding.byte(ofDigits: path, at: place) : nil
            if decoded != nil { place += 2 }
            switch decoded ?? byte {
            case ASCII.slash:
                put(ASCII.percent)
                put(UInt8(ascii: "2"))
                put(UInt8(ascii: "F"))
                isPlain = false
            case let value:
                put(value)
                isPlain = isPlain && !PathByte.isReadInTwoWays(value, isFirst: isBetween, isEncoded: decoded != nil)
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

extension RoutePath {
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
        let path = target.prefix { $0 != ASCII.question }
        guard path.count <= maximumLength else { return false }
        return PathReadingClosure.areAll(of: path, dropsExtensions: dropsExtensions, isAccepted)
    }

    /// Returns a path without the file extension of its last segment, which some servers take for the format of the
    /// response: `/a.tar` for `/a.tar.gz`. Nil if the segment has no dot behind its first byte.
    static func withoutExtension<Path: BidirectionalCollection<UInt8>>(_ path: Path) -> Path.SubSequence? {
        let segment = path.lastIndex(of: ASCII.slash).map { path[path.index(after: $0)...] } ?? path[...]
        guard let dot = segment.lastIndex(of: ASCII.dot), dot > segment.startIndex else { return nil }
        return path[..<dot]
    }

    /// Returns true if all servers read the path of a target alike, except for case and file extensions. Such a path
    /// contains none of the following:
    /// - an empty segment, a dot segment, parameters, a backslash or a control character, encoded or not,
    /// - an encoded character that would separate segments, end the path or be decoded twice,
    /// - a byte that a URL cannot have.
    package static func isUnambiguous(_ target: String) -> Bool {
        var target = target
        return target.withUTF8 { bytes in
            let path = bytes.prefix { $0 != ASCII.question }
            guard path.allSatisfy({ (0x21...0x7E).contains($0) && $0 != ASCII.hash }) else { return false }
            var (place, previous) = (path.startIndex, UInt8(0))
            while place < path.endIndex {
                let byte = path[place]
                place += 1
                if byte == ASCII.slash, previous == ASCII.slash { return false }
                previous = byte
                guard byte == ASCII.percent else { continue }
                guard let decoded = PercentEncoding.byte(ofDigits: bytes, at: place), decoded >= 0x20, decoded != 0x7F
                else {
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

/// The meaning of bytes in paths.
enum PathByte {
    /// Returns true if a byte that was encoded ends the path for some servers.
    static func endsPath(_ byte: UInt8) -> Bool {
        switch byte {
        case ASCII.question, ASCII.hash, 0, UInt8(ascii: "\n"), UInt8(ascii: "\r"): true
        default: false
        }
    }

    /// Returns true if some servers interpret a byte of a segment differently, or may do so: a dot at the start may
    /// begin a dot segment, and an encoded percent sign may be decoded again.
    static func isReadInTwoWays(_ byte: UInt8, isFirst: Bool, isEncoded: Bool) -> Bool {
        switch byte {
        case ASCII.backslash, ASCII.semicolon: true
        case _ where endsPath(byte): true
        case ASCII.percent: isEncoded
        case ASCII.dot: isFirst || isEncoded
        default: false
        }
    }
}
