import HTTPCaching

/// The path of a resource in the normalized spelling that invalidations compare: `/api/posts`.
///
/// It is coarser than a key, so that an invalidation concerns every spelling of a path: empty segments and the trailing
/// slash are removed, percent-encoding is decoded, ASCII letters are lower case (a router may ignore case). Two
/// resources that differ only in this are invalidated together, which costs a miss and never serves a stale response.
/// An encoded slash stays `%2F`: it does not separate segments (RFC 3986 §2.2). A segment `.` or `..` that is not a dot
/// segment is `%2E` or `%2E%2E`.
///
/// ```swift
/// CachePath("/api/posts")         // as it is spelled in a URL
/// CachePath("products", id)       // one segment each, whatever the texts are: `a/b` is the segment a%2Fb
/// ```
public struct CachePath: Hashable, Sendable, CustomStringConvertible {
    /// The largest number of segments of a prefix; deeper paths belong to the prefix of their first segments.
    public static let maximumPrefixDepth = 16
    /// The length in bytes of the longest segment that is compared; a longer one is shortened to its beginning,
    /// `#sha256=` and a digest.
    static let maximumSegmentLength = 255
    /// The largest number of segments that are compared one by one; those after them are compared by one digest.
    static let maximumDepth = 32

    public let description: String

    /// Creates a path as it is spelled in a URL.
    ///
    /// The path ends before a `?` or `#`, the scheme and host before it are left out, and `.` and `..` are resolved
    /// (RFC 3986 §5.2.4). A text that is known only at run time, such as an ID, may change the path: use
    /// ``init(_:_:_:)`` or ``init(segments:)``.
    public init(_ text: some StringProtocol) {
        let path = Self.path(ofTarget: Substring(text).utf8).prefix { $0 != UInt8(ascii: "#") }
        var segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        if segments.first?.isEmpty == true { segments.removeFirst() }
        self.init(decoded: Self.resolvingDots(segments).map(PercentEncoding.decoded))
    }

    /// Creates the path of several segments, each of which may be any text: `/products/42`.
    public init(
        _ first: any CustomStringConvertible,
        _ second: any CustomStringConvertible,
        _ others: any CustomStringConvertible...
    ) {
        self.init(segments: ([first, second] + others).map(\.description))
    }

    /// Creates the path of these segments, each of which may be any text. A `/` in one does not separate segments, `..`
    /// is not resolved, and a `%` is a percent sign.
    public init(segments: some Sequence<some StringProtocol>) {
        self.init(decoded: segments.map { Array($0.utf8) })
    }

    /// Creates the path that a server reads in these bytes if it only splits them at slashes.
    init(bytes: some Collection<UInt8>) {
        self.init(decoded: Array(bytes).split(separator: UInt8(ascii: "/")).map { PercentEncoding.decoded($0) })
    }

    /// Creates the path of segments that are not percent-encoded.
    init(decoded segments: [[UInt8]]) {
        var (text, depth, rest) = ("", 0, "")
        for segment in segments where !segment.isEmpty {
            depth += 1
            if depth > Self.maximumDepth {
                rest += "/" + Self.canonical(segment)
            } else {
                text += "/" + ShortenedText.of(Self.canonical(segment), limit: Self.maximumSegmentLength)
            }
        }
        if !rest.isEmpty { text += "/" + ShortenedText.shortened(rest, to: Self.maximumSegmentLength) }
        self.description = text.isEmpty ? "/" : text
    }

    private static func canonical(_ segment: [UInt8]) -> String {
        let isDots = segment.count <= 2 && segment.allSatisfy { $0 == UInt8(ascii: ".") }
        var text: [UInt8] = []
        text.reserveCapacity(segment.count)
        for byte in segment {
            PercentEncoding.append(ASCII.lowercased(byte), to: &text, escaping: isDots || byte == UInt8(ascii: "/"))
        }
        return String(decoding: text, as: UTF8.self)
    }

    init(canonical: String) {
        self.description = canonical
    }
}

extension CachePath: ExpressibleByStringLiteral {
    /// Creates a path as it is spelled in a URL.
    public init(stringLiteral text: String) {
        self.init(text)
    }
}

extension CachePath {
    /// The path whose prefix all paths have.
    static let root = CachePath(canonical: "/")

    /// The prefixes of the path: the root first, then every path above this one and the path itself, up to the largest
    /// depth.
    var prefixes: [CachePath] {
        var prefixes = [Self.root]
        guard description != "/" else { return prefixes }
        let bytes = description.utf8
        var end = bytes.index(after: bytes.startIndex)
        while prefixes.count <= Self.maximumPrefixDepth {
            end = bytes[end...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
            prefixes.append(CachePath(canonical: String(description[..<end])))
            if end == bytes.endIndex { break }
            bytes.formIndex(after: &end)
        }
        return prefixes
    }

    /// The path, cut to the largest depth of a prefix.
    package var asPrefix: CachePath { prefixes.last ?? self }

    /// Returns the path with its host: `//example.org/api/posts`. A path without a host is never spelled like this.
    package func on(_ authority: some StringProtocol) -> CachePath {
        CachePath(canonical: "//" + authority + (self == .root ? "" : description))
    }

    /// True if the path has a host.
    package var hasHost: Bool { description.utf8.starts(with: "//".utf8) }
}

extension CachePath {
    /// Creates the path that a server reads in a request's target if it only splits it at slashes: the part before the
    /// query, and after the authority if the target is in absolute form (RFC 9112 §3.2.2).
    init(target: String) {
        self.init(bytes: Self.path(ofTarget: Substring(target).utf8).prefix { $0 != UInt8(ascii: "#") })
    }

    /// Returns the path in a target, without its query.
    static func path(ofTarget target: Substring.UTF8View) -> Substring.UTF8View {
        let path = target.prefix { $0 != UInt8(ascii: "?") }
        guard path.first != UInt8(ascii: "/"), let authority = afterScheme(path) else { return path }
        return authority.drop { $0 != UInt8(ascii: "/") }
    }

    /// Returns the bytes after `://`; nil if it does not occur.
    static func afterScheme(_ target: Substring.UTF8View) -> Substring.UTF8View? {
        target.firstRange(of: "://".utf8).map { target[$0.upperBound...] }
    }

    /// Resolves `.` and `..` (RFC 3986 §5.2.4): `..` removes the segment before it, which may be empty.
    static func resolvingDots(_ segments: [[UInt8]]) -> [[UInt8]] {
        var output: [[UInt8]] = []
        for segment in segments {
            switch segment.count {
            case 1 where segment[0] == UInt8(ascii: "."): break
            case 2 where segment[0] == UInt8(ascii: ".") && segment[1] == UInt8(ascii: "."): _ = output.popLast()
            default: output.append(segment)
            }
        }
        return output
    }
}
