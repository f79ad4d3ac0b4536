import HTTPCaching

/// The paths that servers may read in the path of one target.
///
/// A response is invalidated by its path, and the cache does not know how the server behind it reads a path. Most paths
/// have one reading. `/api/./posts` has two: a router that only splits at slashes sees three segments, one that
/// resolves dot segments (RFC 3986 §6.2.2.3) sees `/api/posts`. So a write invalidates every reading of its target, and
/// a response belongs to every reading of the target that it was stored for: if a server takes two targets for one
/// resource, the targets have a reading in common.
///
/// Servers are known to do the following, in different orders:
/// - decode `%2e` before they resolve dot segments; decode `%2F`, `%5C` and `%3B` before they split; decode twice;
/// - take `\` for `/`, leave out what follows a `;` in a segment, end the path at an encoded `?`, `#` or NUL;
/// - resolve dot segments as RFC 3986 says, or after they have merged slashes, or not at all;
/// - take the first segment of `//host/path` for a host.
///
/// A write invalidates all of its readings, 240 at most (5 ways to decode, 48 to split; twice as many if the target has
/// one of three characters that no URL may have, `PathReader.replacingEquivalents`). It invalidates no prefix of them,
/// so that a request cannot invalidate other resources. A response is stored only if its path has at most
/// ``maximumCount`` readings, since each costs memory.
package struct PathReadings: Hashable, Sendable {
    /// The readings, each once, and the literal one first: split at slashes, each segment decoded once.
    package let paths: [CachePath]

    /// The largest number of readings of a stored response.
    static let maximumCount = 8
    /// The length in bytes of the longest path of a stored response with more than one reading.
    static let maximumLength = 2_048
    /// The length in bytes of the longest path of a stored response. A reading never has more bytes than its path, so
    /// that a write need not name longer readings.
    static let maximumPlainLength = 8_192

    /// Creates the readings of the path of a request's target.
    package init(target: String) {
        let target = Substring(target).utf8
        let path = CachePath.path(ofTarget: target)
        let paths = Self.paths(of: path)
        // Hummingbird searches the query for "://", too, if a target does not begin with a slash.
        guard target.first != UInt8(ascii: "/"), path.endIndex < target.endIndex,
            let authority = CachePath.afterScheme(target)
        else {
            self.paths = paths
            return
        }
        let rest = authority.drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        let known = Set(paths)
        self.paths = paths + Self.paths(of: rest.prefix { $0 != UInt8(ascii: "?") }).filter { !known.contains($0) }
    }

    private static func paths(of path: Substring.UTF8View) -> [CachePath] {
        isPlain(path) ? [CachePath(bytes: path)] : PathReader(path).readings
    }

    /// Returns true if one look at each byte shows that a path has one reading.
    private static func isPlain(_ path: Substring.UTF8View) -> Bool {
        path.withContiguousStorageIfAvailable(isPlain) ?? Array(path).withUnsafeBufferPointer(isPlain)
    }

    private static func isPlain(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
        let slash = UInt8(ascii: "/")
        if path.count > 1, path[0] == slash, path[1] == slash { return false }
        var (previous, place) = (slash, 0)
        while place < path.count {
            let byte = path[place]
            place += 1
            var meant = byte
            if byte == ASCII.percent, let decoded = PercentEncoding.byte(ofDigits: path, at: place) {
                // An encoded byte matters if a server may take it for one that splits paths, or decode it again.
                guard decoded != slash, decoded != UInt8(ascii: "."), decoded != 0 else { return false }
                meant = decoded
                place += 2
            } else if !(0x21...0x7E).contains(byte) || byte == UInt8(ascii: ".") && previous == slash {
                return false
            }
            switch meant {
            case UInt8(ascii: "%"), UInt8(ascii: "\\"), UInt8(ascii: ";"), UInt8(ascii: "#"), UInt8(ascii: "?"):
                return false
            default: previous = meant
            }
        }
        return true
    }
}

extension PathReadings {
    /// Returns true if a response may be stored with the readings of a path in a target without a scheme. It does not
    /// allocate for most paths.
    static func areStorable(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
        if isPlain(path) { return path.count <= maximumPlainLength }
        guard path.count <= maximumLength else { return false }
        return PathReader(Substring(decoding: path, as: UTF8.self).utf8).hasReadings(atMost: maximumCount)
    }
}

/// A reader that reads a path in every way that its bytes allow, in time linear in the path's length.
private struct PathReader {
    /// A path in the form in which a server splits it.
    private struct Level {
        let text: [UInt8]
        /// True if the segments are decoded once more after the path was split.
        let isDecodedLater: Bool
    }

    /// The ways to treat dot segments: as text, or resolved, before or after slashes are merged.
    private enum Dots: CaseIterable { case literal, resolved, resolvedAfterMerging }

    /// A way to read a path: the choices that servers make differently.
    private struct Manner {
        var takesBackslashForSlash = false
        var dropsParameters = false
        var endsEarly = false
        var hasHost = false
        var dots = Dots.literal
    }

    /// A segment, as a range of a text.
    private struct Segment {
        let start, end: Int
        /// The end of the segment without its parameters.
        let nameEnd: Int
        var isEmpty: Bool { start == end }
    }

    private let levels: [Level]
    private let manners: [Manner]

    /// Creates a reader. Bytes that no target may have mean the same encoded and not encoded.
    init(_ path: Substring.UTF8View) {
        let raw = Array(path)
        let replaced = Self.replacingEquivalents(raw)
        self.levels = Self.levels(of: raw) + (replaced == raw ? [] : Self.levels(of: replaced))
        self.manners = Self.manners(for: PercentEncoding.decoded(PercentEncoding.decoded(replaced)))
    }

    private static func levels(of raw: [UInt8]) -> [Level] {
        let once = PercentEncoding.decoded(raw)
        let twice = PercentEncoding.decoded(once)
        var levels = [Level(text: raw, isDecodedLater: true)]
        let withDots = Self.decodingDots(raw)
        if withDots.count < raw.count { levels.append(Level(text: withDots, isDecodedLater: true)) }
        if Self.meaningCount(once) > Self.meaningCount(raw) || twice != once {
            levels.append(Level(text: once, isDecodedLater: false))
        }
        if twice != once {
            levels.append(Level(text: once, isDecodedLater: true))
            levels.append(Level(text: twice, isDecodedLater: false))
        }
        return levels
    }

    /// Returns a path with the three characters replaced that Unicode has for ASCII characters as well. They are equal
    /// to the ASCII characters if text is compared by canonical equivalence, as Swift's strings and so Hummingbird's
    /// routes are.
    private static func replacingEquivalents(_ raw: [UInt8]) -> [UInt8] {
        guard raw.contains(where: { $0 >= 0x80 }) else { return raw }
        // KELVIN SIGN, GREEK QUESTION MARK, GREEK VARIA.
        let equivalents: [([UInt8], UInt8)] = [
            ([0xE2, 0x84, 0xAA], UInt8(ascii: "K")), ([0xCD, 0xBE], UInt8(ascii: ";")),
            ([0xE1, 0xBF, 0xAF], UInt8(ascii: "`")),
        ]
        var output: [UInt8] = []
        var rest = raw[...]
        while let byte = rest.first {
            if let (text, ascii) = equivalents.first(where: { rest.starts(with: $0.0) }) {
                output.append(ascii)
                rest = rest.dropFirst(text.count)
            } else {
                output.append(byte)
                rest = rest.dropFirst()
            }
        }
        return output
    }

    /// The different readings, the literal one first. Others are left out if they have more bytes than those of a
    /// stored response.
    var readings: [CachePath] { readings(upTo: .max) }

    /// Returns true if there are at most `limit` different readings.
    func hasReadings(atMost limit: Int) -> Bool { readings(upTo: limit + 1).count <= limit }

    private func readings(upTo count: Int) -> [CachePath] {
        var paths: [CachePath] = []
        var seen: Set<CachePath> = []
        for level in levels {
            // A text is split in at most four ways, by the bytes that separate segments and the bytes that end the
            // path.
            var splits: [[Segment]?] = [nil, nil, nil, nil]
            for manner in manners {
                let place = (manner.takesBackslashForSlash ? 2 : 0) + (manner.endsEarly ? 1 : 0)
                let segments = splits[place] ?? Self.split(level.text, manner)
                splits[place] = segments
                guard let path = Self.read(level, segments, manner, isLiteral: paths.isEmpty),
                    seen.insert(path).inserted
                else { continue }
                paths.append(path)
                if paths.count == count { return paths }
            }
        }
        return paths
    }

    /// Reads a level in one manner; returns nil if the reading is longer than any of a stored response, and not the
    /// literal one.
    private static func read(
        _ level: Level,
        _ segments: [Segment],
        _ manner: Manner,
        isLiteral: Bool
    ) -> CachePath? {
        var rest = segments[...]
        if rest.first?.isEmpty == true { rest.removeFirst() }
        if manner.hasHost, rest.first?.isEmpty == true { rest = rest.drop { $0.isEmpty }.dropFirst() }
        var output: [(start: Int, end: Int)] = []
        var length = 0
        for segment in rest {
            let end = manner.dropsParameters ? segment.nameEnd : segment.end
            let name = (start: segment.start, end: end)
            switch dots(name, in: level.text, manner) {
            case 1: break
            case 2:
                if let last = output.popLast() { length -= last.end - last.start }
            default:
                if name.start == name.end, manner.dots != .resolved { break }
                output.append(name)
                length += name.end - name.start
            }
        }
        let limit = PathReadings.maximumPlainLength
        // An encoded byte takes three bytes.
        guard isLiteral || length <= (level.isDecodedLater ? 3 * limit : limit) else { return nil }
        let decoded = output.map { name in
            let bytes = level.text[name.start..<name.end]
            return level.isDecodedLater ? PercentEncoding.decoded(bytes) : Array(bytes)
        }
        guard isLiteral || decoded.reduce(0, { $0 + $1.count }) <= limit else { return nil }
        return CachePath(decoded: decoded)
    }

    /// Returns the number of dots of a segment that is `.` or `..` and is resolved in a manner, else 0 (RFC 3986
    /// §5.2.4: `..` removes the segment before it, which may be empty).
    private static func dots(_ name: (start: Int, end: Int), in text: [UInt8], _ manner: Manner) -> Int {
        let count = name.end - name.start
        guard manner.dots != .literal, count == 1 || count == 2, text[name.start] == UInt8(ascii: "."),
            text[name.end - 1] == UInt8(ascii: ".")
        else { return 0 }
        return count
    }

    /// Splits a text at its separators, without copying it.
    private static func split(_ text: [UInt8], _ manner: Manner) -> [Segment] {
        var segments: [Segment] = []
        var start = 0
        var nameEnd: Int?
        var end = text.count
        for (place, byte) in text.enumerated() {
            if isSeparator(byte, manner) {
                segments.append(Segment(start: start, end: place, nameEnd: nameEnd ?? place))
                (start, nameEnd) = (place + 1, nil)
            } else if byte == UInt8(ascii: ";") {
                nameEnd = nameEnd ?? place
            } else if manner.endsEarly, endsPath(byte) {
                end = place
                break
            }
        }
        segments.append(Segment(start: start, end: end, nameEnd: nameEnd ?? end))
        return segments
    }

    private static func isSeparator(_ byte: UInt8, _ manner: Manner) -> Bool {
        byte == UInt8(ascii: "/") || manner.takesBackslashForSlash && byte == UInt8(ascii: "\\")
    }

    /// Returns the manners of reading that may give different results for a path. The text is the path after all
    /// decoding.
    private static func manners(for text: [UInt8]) -> [Manner] {
        var manners = [Manner()]
        func add(_ change: (inout Manner) -> Void) {
            manners += manners.map { manner in
                var manner = manner
                change(&manner)
                return manner
            }
        }
        if text.contains(UInt8(ascii: "\\")) { add { $0.takesBackslashForSlash = true } }
        if text.contains(UInt8(ascii: ";")) { add { $0.dropsParameters = true } }
        if text.contains(where: endsPath) { add { $0.endsEarly = true } }
        let lenient = Manner(takesBackslashForSlash: true)
        let segments = text.split(omittingEmptySubsequences: false) { isSeparator($0, lenient) }
        if segments.count > 2, segments[0].isEmpty, segments[1].isEmpty { add { $0.hasHost = true } }
        if segments.contains(where: isDots) {
            let literal = manners
            add { $0.dots = .resolved }
            if segments.dropFirst().contains(where: \.isEmpty) {
                manners += literal.map { manner in
                    var manner = manner
                    manner.dots = .resolvedAfterMerging
                    return manner
                }
            }
        }
        return manners
    }

    /// Returns true if a segment is `.` or `..`, or may be without its parameters.
    private static func isDots(_ segment: ArraySlice<UInt8>) -> Bool {
        let name = segment.prefix { $0 != UInt8(ascii: ";") && !endsPath($0) }
        return (1...2).contains(name.count) && name.allSatisfy { $0 == UInt8(ascii: ".") }
    }

    private static func endsPath(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") || byte == 0
    }

    /// Returns the number of bytes that have a meaning for a server that splits a path.
    private static func meaningCount(_ text: [UInt8]) -> Int {
        text.count { "/\\;.".utf8.contains($0) || endsPath($0) }
    }

    private static func decodingDots(_ raw: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        var rest = raw[...]
        while let byte = rest.popFirst() {
            if let (decoded, after) = PercentEncoding.decode(byte, before: rest), decoded == UInt8(ascii: ".") {
                output.append(decoded)
                rest = after
            } else {
                output.append(byte)
            }
        }
        return output
    }
}
