/// A name that several responses share, so that they can be invalidated together.
///
/// Visible ASCII without commas (they separate tags in `Cache-Tag`), 1 to 256 bytes; case matters.
public struct CacheTag: Hashable, Sendable, CustomStringConvertible {
    /// The longest tag in bytes.
    public static let maximumLength = 256

    public let description: String

    /// A tag, or nil where the text is empty, too long, or holds anything but visible ASCII without commas.
    public init?(_ text: some StringProtocol) {
        guard (1...Self.maximumLength).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") })
        else { return nil }
        self.description = String(text)
    }

    /// A tag as it stands in the path of a URL, percent-encoded once; nil where what is encoded is no tag.
    public init?(percentEncoded text: String) {
        self.init(PercentEncoding.decoded(text))
    }

    /// The tags of a field such as `Cache-Tag: a, b` or `Surrogate-Key: a b`; what is not a tag is passed over.
    static func list(_ value: String) -> some Sequence<CacheTag> {
        value.split { $0 == "," || $0 == " " || $0 == "\t" }.lazy.compactMap { CacheTag($0) }
    }
}

extension CacheTag: ExpressibleByStringLiteral {
    /// A tag written in the source; traps where it is none.
    public init(stringLiteral text: String) {
        guard let tag = CacheTag(text) else {
            preconditionFailure("\"\(text)\" is no cache tag: 1 to 256 visible ASCII characters without commas")
        }
        self = tag
    }
}
