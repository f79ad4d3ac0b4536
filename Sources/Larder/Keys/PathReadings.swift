/// The paths that servers may take the path of one target for.
///
/// A response is invalidated by its path, and the cache does not know how the server behind it reads a path. Most paths
/// have one reading. `/api/./posts` has two: a router that only splits at slashes sees three segments, one that
/// resolves dot segments (RFC 3986 §6.2.2.3) sees `/api/posts`. So a write invalidates every reading of its target, and
/// a response belongs to every reading of the target that it was stored for: whatever the server does, two targets that
/// it takes for one resource have a reading in common.
///
/// What servers are known to do, and do in different order:
/// - decode `%2e` before they resolve dot segments; decode `%2F`, `%5C` and `%3B` before they split; decode twice;
/// - take `\` for `/`, leave out what follows a `;` in a segment, end the path at an encoded `?`, `#` or NUL;
/// - resolve dot segments as RFC 3986 says, or after they have merged slashes, or not at all;
/// - take the first segment of `//host/path` for a host.
package enum PathReadings: Hashable, Sendable {
    /// Every reading, the literal one first: split at slashes, each segment decoded once.
    case paths([CachePath])
    /// More readings than ``maximumCount``, or a path that no HTTP request may have. All of them are this path or below
    /// it.
    case below(CachePath)

    /// The most readings that are told one by one.
    static let maximumCount = 8
    /// The longest path, in bytes, whose readings are told one by one if it has more than one.
    static let maximumLength = 2_048

    /// Reads the path of a request's target.
    package init(target: String) {
        let target = Substring(target).utf8
        let path = CachePath.path(ofTarget: target)
        self = Self(path: path)
        // Hummingbird looks for "://" in the query too, if a target does not begin with a slash.
        guard target.first != UInt8(ascii: "/"), path.endIndex < target.endIndex,
            let authority = CachePath.afterScheme(target)
        else { return }
        let rest = authority.drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        let other = Self(path: rest.prefix { $0 != UInt8(ascii: "?") })
        guard case .paths(let paths) = self, case .paths(let others) = other else {
            self = .below(.root)
            return
        }
        self = .paths(paths + others.filter { !paths.contains($0) })
    }

    private init(path: Substring.UTF8View) {
        if Self.isPlain(path) {
            self = .paths([CachePath(bytes: path)])
        } else if let reader = PathReader(path), let paths = reader.readings(atMost: Self.maximumCount) {
            self = .paths(paths)
        } else {
            self = .below(PathReader.commonPrefix(of: path))
        }
    }

    /// Returns true if a path has one reading, as far as one look at each byte tells.
    private static func isPlain(_ path: Substring.UTF8View) -> Bool {
        let slash = UInt8(ascii: "/")
        guard !path.starts(with: "//".utf8) else { return false }
        var previous = slash
        var rest = path
        while let byte = rest.popFirst() {
            var meant = byte
            if let (decoded, after) = PercentEncoding.decode(byte, before: rest) {
                // An encoded byte matters if a server may take it for one that splits paths, or decode it again.
                guard decoded != slash, decoded != UInt8(ascii: "."), decoded != 0 else { return false }
                (meant, rest) = (decoded, after)
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
    /// Returns true if the readings of a target are told one by one. For most targets nothing is allocated to find out.
    static func areCountable(_ target: String) -> Bool {
        if isPlain(CachePath.path(ofTarget: Substring(target).utf8)) { return true }
        return if case .paths = PathReadings(target: target) { true } else { false }
    }
}

/// Reads a path in every way that its bytes leave open.
private struct PathReader {
    /// A path as a server has it when it splits the path, and how often it decodes the segments after that.
    private struct Level {
        let text: [UInt8]
        let isDecodedLater: Bool
    }

    private enum Dots: CaseIterable { case literal, resolved, resolvedAfterMerging }

    private struct Manner {
        var takesBackslashForSlash = false
        var dropsParameters = false
        var endsEarly = false
        var hasHost = false
        var dots = Dots.literal
    }

    private let levels: [Level]
    private let manners: [Manner]

    /// Creates a reader; nil if the path is too long, or has a byte that no target may have.
    init?(_ path: Substring.UTF8View) {
        guard path.count <= PathReadings.maximumLength, path.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        let raw = Array(path)
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
        self.levels = levels
        self.manners = Self.manners(for: twice)
    }

    /// Returns the different readings, the literal one first; nil if there are more than `limit`.
    func readings(atMost limit: Int) -> [CachePath]? {
        var paths: [CachePath] = []
        for level in levels {
            for manner in manners {
                let path = Self.read(level, manner)
                guard !paths.contains(path) else { continue }
                guard paths.count < limit else { return nil }
                paths.append(path)
            }
        }
        return paths
    }

    private static func read(_ level: Level, _ manner: Manner) -> CachePath {
        var text = level.text[...]
        if manner.endsEarly { text = text.prefix { !Self.endsPath($0) } }
        var segments = text.split(omittingEmptySubsequences: false) { isSeparator($0, manner) }.map(Array.init)
        if segments.first?.isEmpty == true { segments.removeFirst() }
        if manner.hasHost, segments.first?.isEmpty == true {
            segments = Array(segments.drop { $0.isEmpty }.dropFirst())
        }
        if manner.dropsParameters { segments = segments.map { Array($0.prefix { $0 != UInt8(ascii: ";") }) } }
        switch manner.dots {
        case .literal: break
        case .resolved: segments = CachePath.resolvingDots(segments)
        case .resolvedAfterMerging: segments = CachePath.resolvingDots(segments.filter { !$0.isEmpty })
        }
        return CachePath(decoded: level.isDecodedLater ? segments.map(PercentEncoding.decoded) : segments)
    }

    private static func isSeparator(_ byte: UInt8, _ manner: Manner) -> Bool {
        byte == UInt8(ascii: "/") || manner.takesBackslashForSlash && byte == UInt8(ascii: "\\")
    }

    /// The manners of reading that may differ for a path, given in the form that hides nothing.
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

    /// Returns true if a segment is `.` or `..`, or may be once its parameters are gone.
    private static func isDots(_ segment: ArraySlice<UInt8>) -> Bool {
        let name = segment.prefix { $0 != UInt8(ascii: ";") && !endsPath($0) }
        return (1...2).contains(name.count) && name.allSatisfy { $0 == UInt8(ascii: ".") }
    }

    private static func endsPath(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") || byte == 0
    }

    /// The number of bytes that mean something to a server that splits a path.
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

    /// Returns a path that every reading of `path` is, or is below.
    ///
    /// Readings agree on the segments before the first one with a byte that is read in several ways, but for those that
    /// a `..` behind it removes; each removes one segment at most.
    static func commonPrefix(of path: Substring.UTF8View) -> CachePath {
        let raw = Array(path)
        let slash = UInt8(ascii: "/")
        if raw.count > 1, raw[0] == slash || raw[0] == UInt8(ascii: "\\"),
            raw[1] == slash || raw[1] == UInt8(ascii: "\\")
        {
            return .root
        }
        let plain = raw.split(separator: slash).prefix { segment in
            segment.first != UInt8(ascii: ".")
                && segment.allSatisfy { (0x21...0x7E).contains($0) && !"%\\;#".utf8.contains($0) }
        }
        let twice = PercentEncoding.decoded(PercentEncoding.decoded(raw))
        let pairs = zip(twice, twice.dropFirst()).count { $0 == UInt8(ascii: ".") && $1 == UInt8(ascii: ".") }
        return CachePath(decoded: plain.dropLast(pairs).map(Array.init))
    }
}
