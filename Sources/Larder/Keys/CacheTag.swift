import HTTPCaching

/// A name that several responses share, so that they can be invalidated together.
///
/// A tag is 1 to 256 bytes of UTF-8; case matters, and tags are compared byte by byte. Its ``description`` is its
/// canonical spelling: percent-encoded, so that it can be used in `Cache-Tag`, in `Surrogate-Key` and in the path of a
/// URL as it is.
///
/// ```swift
/// CacheTag("garden & home")           // garden%20&%20home
/// CacheTag("category", name)          // category:garden%20&%20home
/// "user-\(id)" as CacheTag
/// ```
///
/// The initialisers that take text take any text. A text that is empty, or longer than ``maximumLength``, is shortened
/// to its beginning, `#sha256=` and its SHA-256, which is a tag like any other: the same text names the same tag when a
/// response is tagged and when it is invalidated. A response field, a URL or a configuration file must name a tag
/// within the limit.
public struct CacheTag: Hashable, Sendable, CustomStringConvertible {
    /// The length of the longest tag in bytes of UTF-8, before it is percent-encoded.
    public static let maximumLength = 256

    /// The canonical spelling, in ASCII: `A` to `Z`, `a` to `z`, `0` to `9` and `-._~!$&'()*+;=:@/` as they are, every
    /// other byte as `%XX`.
    public let description: String

    /// Creates the tag that is exactly this text: a `%` in it is a percent sign.
    public init(_ text: some StringProtocol) {
        if (1...Self.maximumLength).contains(text.utf8.count) {
            self.init(bytes: text.utf8)
        } else {
            let (head, digest) = ShortenedText.parts(of: String(text), limit: Self.maximumLength)
            self.init(bytes: head.utf8, digest: digest)
        }
    }

    /// Creates the tag of several texts: `category:shoes`.
    ///
    /// The texts are joined by `:`. A `:` in one of them becomes `%3A` and a `%` becomes `%25`, so that different texts
    /// never make the same tag: `("a", "b:c")` is `a:b%3Ac`, and `("a:b", "c")` is `a%3Ab:c`.
    public init(
        _ first: any CustomStringConvertible,
        _ second: any CustomStringConvertible,
        _ others: any CustomStringConvertible...
    ) {
        let parts = [first, second] + others
        self.init(parts.map { Self.escaped($0.description) }.joined(separator: ":"))
    }

    /// Creates the tag that a text names in a response field, in the path of a URL or in a configuration file, where it
    /// is percent-decoded once: `new%20arrivals` names the tag `new arrivals`.
    ///
    /// Nil unless the decoded text is 1 to 256 bytes of UTF-8. Nil also if the text has a U+FFFD that is not
    /// percent-encoded: a library has replaced bytes that were not UTF-8 by it.
    public init?(percentEncoded text: some StringProtocol) {
        guard !text.unicodeScalars.contains("\u{FFFD}") else { return nil }
        if let (head, digest) = ShortenedText.parts(in: String(text)) {
            let bytes = PercentEncoding.decoded(Substring(head).utf8)
            guard bytes.count + digest.utf8.count <= Self.maximumLength,
                String(validating: bytes, as: UTF8.self) != nil
            else { return nil }
            self.init(bytes: bytes, digest: digest)
            return
        }
        let bytes = PercentEncoding.decoded(Substring(text).utf8)
        guard (1...Self.maximumLength).contains(bytes.count), String(validating: bytes, as: UTF8.self) != nil else {
            return nil
        }
        self.init(bytes: bytes)
    }

    /// The description of a text that names a tag, for messages.
    package static let expectation = "a tag of 1 to \(maximumLength) bytes of UTF-8, percent-encoded or not"

    /// Creates a tag from its bytes.
    /// - Parameter digest: The end of a shortened text. Its `#` is not percent-encoded, unlike that of a text, so that
    ///   no text can be spelled like a shortened one.
    private init(bytes: some Collection<UInt8>, digest: String = "") {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        for byte in bytes {
            let isPlain = ASCII.isUnreserved(byte) || "!$&'()*+;=:@/".utf8.contains(byte)
            PercentEncoding.append(byte, to: &text, escaping: !isPlain)
        }
        self.description = String(decoding: text, as: UTF8.self) + digest
    }

    /// Creates a tag that has this ``description``.
    init(description: String) { self.description = description }

    private static func escaped(_ part: String) -> String {
        var text: [UInt8] = []
        for byte in part.utf8 {
            switch byte {
            case UInt8(ascii: ":"), UInt8(ascii: "%"): PercentEncoding.append(byte, to: &text, escaping: true)
            default: text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension CacheTag: ExpressibleByStringInterpolation {
    /// Creates the tag that is exactly this text.
    public init(stringLiteral text: String) {
        self.init(text)
    }
}
