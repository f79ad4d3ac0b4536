import HTTPCaching
import Larder

/// The set of all paths that servers may read in a path.
///
/// A server decodes percent-encoding never, once or twice, before or after it resolves dot segments. It may take a
/// backslash for a slash, drop parameters and file extensions, end a path at a `?` that was encoded, or take the first
/// segment of `//a/b` for a host. Two servers in a row do all of this twice. So the readings of a path are the paths
/// that any number of these steps (``Step``) in any order leads to. Each step but one makes the path shorter, and that
/// one reduces the number of backslashes, so that the search ends. If the steps lead to more than ``limit`` paths, or
/// to paths that are longer than ``byteLimit`` in total, the path is not accepted.
///
/// Invalidations compare fewer readings (`PathReadings`): only those of the orders that servers are known to use, since
/// each reading costs memory for every stored response. Here a reading costs one comparison, and a missing one could
/// disclose the page of a user.
struct PathReadingClosure {
    /// The maximum number of paths that are examined.
    static let limit = 64

    /// The maximum length of the paths in total, in bytes, without the original path. It limits the time of the search.
    static let byteLimit = 16 << 10

    private var paths: [[UInt8]]
    private var byteCount = 0
    private var known: Set<[UInt8]>

    private init(_ path: some Collection<UInt8>) {
        paths = [Array(path)]
        known = Set(paths)
    }

    /// Returns true if every reading of a path is accepted. A reading has a slash before each segment, and is in lower
    /// case and percent-decoded except for a slash within a segment (`%2f`).
    /// - Parameters:
    ///   - path: The path of a target, without its query.
    ///   - dropsExtensions: True if a path without its file extension is one of its readings.
    static func areAll(
        of path: some Collection<UInt8>,
        dropsExtensions: Bool = false,
        _ isAccepted: (UnsafeBufferPointer<UInt8>) -> Bool
    ) -> Bool {
        var closure = PathReadingClosure(path)
        var next = 0
        var reading: [UInt8] = []
        while next < closure.paths.count {
            let path = closure.paths[next]
            next += 1
            read(path, into: &reading)
            guard reading.withUnsafeBufferPointer(isAccepted) else { return false }
            for step in Step.allCases where dropsExtensions || step != .dropExtension {
                guard let other = step.apply(to: path), closure.known.insert(other).inserted else { continue }
                closure.byteCount += other.count
                guard closure.paths.count < limit, closure.byteCount <= byteLimit else { return false }
                closure.paths.append(other)
            }
        }
        return true
    }

    /// Reads the segments of a path without any further step.
    private static func read(_ path: [UInt8], into output: inout [UInt8]) {
        output.removeAll(keepingCapacity: true)
        for segment in path.split(separator: ASCII.slash) {
            output.append(ASCII.slash)
            for byte in Step.decoded(segment, keepingSlashes: true) { output.append(ASCII.lowercased(byte)) }
        }
    }
}

/// A change that a server may make to a path.
private enum Step: CaseIterable {
    /// Decodes percent-encoding once.
    case decode
    /// Decodes percent-encoding in each segment, except encoded slashes, which do not separate segments
    /// (RFC 3986 §2.2).
    case decodeSegments
    /// Decodes only encoded dots, which are equivalent to unencoded ones (RFC 3986 §2.3).
    case decodeDots
    /// Replaces backslashes with slashes, as browsers do (WHATWG URL).
    case replaceBackslashes
    /// Removes the part of each segment from a `;` on (RFC 3986 §3.3).
    case dropParameters
    /// Ends the path at a `;`.
    case endAtSemicolon
    /// Ends the path at a `?`, a `#`, a NUL or a line break that was encoded.
    case endAtDelimiter
    /// Removes the part from the last dot on, which some servers take for the format of the response: `/account.json`
    /// becomes `/account`.
    case dropExtension
    /// Removes the segment after two slashes at the start, which some servers take for a host (RFC 3986 §4.2).
    case dropHost
    /// Merges consecutive slashes.
    case mergeSlashes
    /// Resolves dot segments (RFC 3986 §5.2.4): `..` removes the segment before it, which may be empty.
    case resolveDots

    /// Returns the changed path; nil if the step does not change it.
    func apply(to path: [UInt8]) -> [UInt8]? {
        switch self {
        case .decode: return Self.shorter(Self.decoded(path[...], keepingSlashes: false), than: path)
        case .decodeSegments: return Self.shorter(Self.decoded(path[...], keepingSlashes: true), than: path)
        case .decodeDots: return Self.shorter(Self.decoded(path[...], only: ASCII.dot), than: path)
        case .replaceBackslashes:
            guard path.contains(ASCII.backslash) else { return nil }
            return path.map { $0 == ASCII.backslash ? ASCII.slash : $0 }
        case .dropParameters:
            guard path.contains(ASCII.semicolon) else { return nil }
            return Self.joined(Self.segments(of: path).map { $0.prefix { $0 != ASCII.semicolon } })
        case .endAtSemicolon: return Self.shorter(Array(path.prefix { $0 != ASCII.semicolon }), than: path)
        case .endAtDelimiter:
            return Self.shorter(Array(path.prefix { !PathByte.endsPath($0) }), than: path)
        case .dropExtension:
            // A dot segment has no extension.
            guard Self.segments(of: path).last.map(Self.isDots) != true else { return nil }
            return RoutePath.withoutExtension(path).map { Array($0) }
        case .dropHost:
            guard path.starts(with: [ASCII.slash, ASCII.slash]) else { return nil }
            return Array(path.drop { $0 == ASCII.slash }.drop { $0 != ASCII.slash })
        case .mergeSlashes:
            return Self.shorter(Self.joined(Self.segments(of: path).filter { !$0.isEmpty }), than: path)
        case .resolveDots:
            let segments = Self.segments(of: path)
            guard segments.contains(where: Self.isDots) else { return nil }
            var output: [ArraySlice<UInt8>] = []
            for segment in segments {
                if !Self.isDots(segment) { output.append(segment) } else if segment.count == 2 { _ = output.popLast() }
            }
            return Self.joined(output)
        }
    }

    private static func shorter(_ path: [UInt8], than other: [UInt8]) -> [UInt8]? {
        path.count < other.count ? path : nil
    }

    /// Returns the segments of a path, the first of which follows the first slash.
    private static func segments(of path: [UInt8]) -> [ArraySlice<UInt8>] {
        let segments = path.split(separator: ASCII.slash, omittingEmptySubsequences: false)
        return segments.first?.isEmpty == true ? Array(segments.dropFirst()) : segments
    }

    private static func joined(_ segments: [ArraySlice<UInt8>]) -> [UInt8] {
        [ASCII.slash] + segments.joined(separator: [ASCII.slash])
    }

    private static func isDots(_ segment: ArraySlice<UInt8>) -> Bool {
        (1...2).contains(segment.count) && segment.allSatisfy { $0 == ASCII.dot }
    }

    /// Returns bytes with percent-encoding decoded once: of all bytes except slashes if `keepingSlashes` is true, or of
    /// the byte `wanted` alone.
    static func decoded(_ path: ArraySlice<UInt8>, keepingSlashes: Bool = false, only wanted: UInt8? = nil) -> [UInt8] {
        guard path.contains(ASCII.percent) else { return Array(path) }
        var output: [UInt8] = []
        output.reserveCapacity(path.count)
        path.withUnsafeBufferPointer { bytes in
            var place = 0
            while place < bytes.count {
                let byte = bytes[place]
                place += 1
                guard byte == ASCII.percent, let decoded = PercentEncoding.byte(ofDigits: bytes, at: place),
                    wanted.map({ $0 == decoded }) ?? (decoded != ASCII.slash || !keepingSlashes)
                else {
                    output.append(byte)
                    continue
                }
                output.append(decoded)
                place += 2
            }
        }
        return output
    }
}
