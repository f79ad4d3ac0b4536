/// The path of a resource in the one spelling that invalidations compare: `/api/posts`.
///
/// It is coarser than a key on purpose, so that no spelling of a path escapes an invalidation: empty segments and the
/// trailing slash are gone, percent-encoding is undone, ASCII letters are lower case (a router may ignore case). Two
/// resources that differ only in this are invalidated together, which costs a miss and never a stale answer. An encoded
/// slash stays `%2F`: it does not separate segments (RFC 3986 §2.2).
public struct CachePath: Hashable, Sendable, CustomStringConvertible {
    /// The most segments that a prefix can have; deeper paths are covered by their first ones.
    public static let maximumPrefixDepth = 16

    public let description: String

    /// A path, or nil where the text holds a query or a fragment, which no path has.
    public init?(_ text: String) {
        guard !text.utf8.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) else { return nil }
        self.init(bytes: text.utf8)
    }

    init(bytes: some Collection<UInt8>) {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + 1)
        for segment in bytes.split(separator: UInt8(ascii: "/")) {
            text.append(UInt8(ascii: "/"))
            Self.append(segment, to: &text)
        }
        self.description = text.isEmpty ? "/" : String(decoding: text, as: UTF8.self)
    }

    /// The number of segments; none for the root.
    var depth: Int { description == "/" ? 0 : description.utf8.count { $0 == UInt8(ascii: "/") } }

    /// The path itself and every path above it, the root first, as far down as prefixes go.
    var prefixes: [CachePath] {
        var prefixes = [CachePath(canonical: "/")]
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

    /// The path of a target, behind the host that it is a path of.
    init(authority: String, target: String) {
        self.description = "//" + authority + CachePath(target: target).description
    }

    private init(canonical: String) {
        self.description = canonical
    }

    private static func append(_ segment: some Collection<UInt8>, to text: inout [UInt8]) {
        var rest = segment[...]
        while let byte = rest.popFirst() {
            if let (decoded, after) = PercentEncoding.decode(byte, before: rest) {
                rest = after
                PercentEncoding.append(folded(decoded), to: &text, escaping: decoded == UInt8(ascii: "/"))
            } else {
                PercentEncoding.append(folded(byte), to: &text, escaping: false)
            }
        }
    }

    private static func folded(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

extension CachePath: ExpressibleByStringLiteral {
    /// A path written in the source; traps where it holds a query or a fragment.
    public init(stringLiteral text: String) {
        guard let path = CachePath(text) else {
            preconditionFailure("\"\(text)\" is no path: leave out the query and the fragment")
        }
        self = path
    }
}

/// Percent-encoding of single bytes (RFC 3986 §2.1).
enum PercentEncoding {
    /// The byte that `%XX` stands for, and what follows it; nil where `byte` does not begin one.
    static func decode<Rest: Collection<UInt8>>(
        _ byte: UInt8,
        before rest: Rest
    ) -> (byte: UInt8, rest: Rest.SubSequence)? {
        guard byte == UInt8(ascii: "%") else { return nil }
        var digits = rest[...]
        guard let high = digits.popFirst().flatMap(value), let low = digits.popFirst().flatMap(value) else {
            return nil
        }
        return (high << 4 | low, digits)
    }

    /// A text with every `%XX` in it decoded, once.
    static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if let (value, after) = decode(byte, before: rest) {
                bytes.append(value)
                rest = after
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends a byte as it is where it is visible ASCII with no meaning in a key, else as `%XX`.
    static func append(_ byte: UInt8, to text: inout [UInt8], escaping: Bool) {
        let isPlain =
            (0x21...0x7E).contains(byte)
            && byte != UInt8(ascii: "%") && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
        if isPlain, !escaping {
            text.append(byte)
        } else {
            text.append(UInt8(ascii: "%"))
            text.append(digit(byte >> 4))
            text.append(digit(byte & 0xF))
        }
    }

    /// Whether a byte means the same encoded and not (RFC 3986 §2.3).
    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
