import Larder

/// The paths that servers may take a path for, whatever they do to it and in whatever order.
///
/// A server undoes percent-encoding never, once or twice, before or after it resolves dot segments, takes a backslash
/// for a slash, leaves parameters and file extensions out, ends a path at a `?` that was encoded, takes the first
/// segment of `//a/b` for a host. Two servers in a row do all of it twice. So the readings of a path are what can be
/// reached from it by any number of these steps (``Step``) in any order. Each step but one makes the path shorter, and
/// that one leaves fewer backslashes: the steps come to an end. If they lead to more than ``limit`` paths, or to paths
/// that are longer than ``byteLimit`` in sum, the answer is no.
///
/// The readings that invalidations compare (`PathReadings`) are fewer: they name the orders that servers are known to
/// have, since each costs every stored response memory. Here each costs a comparison, and one that is missing costs
/// somebody's account.
struct PathReadingClosure {
    /// The most paths that are looked at.
    static let limit = 64

    /// The most bytes that the paths have in sum, beyond the one that was asked for: a bound on the time that it takes.
    static let byteLimit = 16 << 10

    private var paths: [[UInt8]]
    private var byteCount = 0
    private var known: Set<[UInt8]>

    private init(_ path: some Collection<UInt8>) {
        paths = [Array(path)]
        known = Set(paths)
    }

    /// Returns true if each reading of a path is accepted: segments behind slashes, in lower case, percent-encoding
    /// undone but for a slash in a segment (`%2f`).
    /// - Parameters:
    ///   - path: The path of a target, without its query.
    ///   - dropsExtensions: True if a path without its file extension is another reading of it.
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

    /// Reads the segments of a path that nothing else is done to.
    private static func read(_ path: [UInt8], into output: inout [UInt8]) {
        output.removeAll(keepingCapacity: true)
        for segment in path.split(separator: Byte.slash) {
            output.append(Byte.slash)
            for byte in Step.decoded(segment, keepingSlashes: true) { output.append(Byte.lowercased(byte)) }
        }
    }
}

/// One thing that a server may do to a path.
private enum Step: CaseIterable {
    /// It undoes percent-encoding, once.
    case decode
    /// It does so in each segment: an encoded slash separates none (RFC 3986 §2.2).
    case decodeSegments
    /// It does so with dots, which mean the same encoded and not (RFC 3986 §2.3).
    case decodeDots
    /// It takes a backslash for a slash, as browsers do (WHATWG URL).
    case replaceBackslashes
    /// It leaves out what follows a `;` in a segment (RFC 3986 §3.3).
    case dropParameters
    /// It ends the path at a `;`.
    case endAtSemicolon
    /// It ends the path at a `?`, a `#`, a NUL or the end of a line, which were encoded.
    case endAtDelimiter
    /// It takes what follows the last dot for the format of the response: `/account.json` is `/account`.
    case dropExtension
    /// It takes what follows two slashes for a host (RFC 3986 §4.2).
    case dropHost
    /// It takes several slashes for one.
    case mergeSlashes
    /// It resolves dot segments (RFC 3986 §5.2.4): `..` removes the segment before it, which may be empty.
    case resolveDots

    /// Returns the path as it is afterwards; nil if nothing has changed.
    func apply(to path: [UInt8]) -> [UInt8]? {
        switch self {
        case .decode: return Self.shorter(Self.decoded(path[...], keepingSlashes: false), than: path)
        case .decodeSegments: return Self.shorter(Self.decoded(path[...], keepingSlashes: true), than: path)
        case .decodeDots: return Self.shorter(Self.decoded(path[...], only: Byte.dot), than: path)
        case .replaceBackslashes:
            guard path.contains(Byte.backslash) else { return nil }
            return path.map { $0 == Byte.backslash ? Byte.slash : $0 }
        case .dropParameters:
            guard path.contains(Byte.semicolon) else { return nil }
            return Self.joined(Self.segments(of: path).map { $0.prefix { $0 != Byte.semicolon } })
        case .endAtSemicolon: return Self.shorter(Array(path.prefix { $0 != Byte.semicolon }), than: path)
        case .endAtDelimiter:
            return Self.shorter(Array(path.prefix { !Self.isDelimiter($0) }), than: path)
        case .dropExtension:
            let last = path.lastIndex(of: Byte.slash).map { $0 + 1 } ?? path.startIndex
            guard let dot = path[last...].lastIndex(of: Byte.dot), dot > last, !Self.isDots(path[last...]) else {
                return nil
            }
            return Array(path[..<dot])
        case .dropHost:
            guard path.starts(with: [Byte.slash, Byte.slash]) else { return nil }
            return Array(path.drop { $0 == Byte.slash }.drop { $0 != Byte.slash })
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

    /// The segments of a path, the first of them behind its first slash.
    private static func segments(of path: [UInt8]) -> [ArraySlice<UInt8>] {
        let segments = path.split(separator: Byte.slash, omittingEmptySubsequences: false)
        return segments.first?.isEmpty == true ? Array(segments.dropFirst()) : segments
    }

    private static func joined(_ segments: [ArraySlice<UInt8>]) -> [UInt8] {
        [Byte.slash] + segments.joined(separator: [Byte.slash])
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case Byte.question, Byte.hash, 0, UInt8(ascii: "\n"), UInt8(ascii: "\r"): true
        default: false
        }
    }

    private static func isDots(_ segment: ArraySlice<UInt8>) -> Bool {
        (1...2).contains(segment.count) && segment.allSatisfy { $0 == Byte.dot }
    }

    /// Returns bytes with percent-encoding undone, once: of all bytes but slashes, or of one byte alone.
    static func decoded(_ path: ArraySlice<UInt8>, keepingSlashes: Bool = false, only wanted: UInt8? = nil) -> [UInt8] {
        guard path.contains(Byte.percent) else { return Array(path) }
        var output: [UInt8] = []
        output.reserveCapacity(path.count)
        path.withUnsafeBufferPointer { bytes in
            var place = 0
            while place < bytes.count {
                let byte = bytes[place]
                place += 1
                guard byte == Byte.percent, let decoded = Byte.decoded(bytes, at: place),
                    wanted.map({ $0 == decoded }) ?? (decoded != Byte.slash || !keepingSlashes)
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
