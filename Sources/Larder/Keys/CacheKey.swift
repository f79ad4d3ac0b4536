/// What a response is stored under, deleted by and counted under: `GET:/api/posts/`.
///
/// Method, colon, path, then `?` and the query where there is one, then `#` and what the policy varies by beyond them:
/// `#user=42&accept-language:de`. A user is written with `=`, a request field with `:`, neither of which occurs in an
/// encoded name or value, so that no part can be taken for another. A field that the request does not have is its name
/// alone; several lines of one field are separated by `,`.
///
/// A key is 1 to 512 bytes of visible ASCII. A longer text keeps its head and ends in `#sha256=` and the SHA-256 of the
/// whole. No target may hold a raw `#`, and no part of a key is called `sha256=`: a request cannot spell a shortened
/// key.
public struct CacheKey: Hashable, Sendable, CustomStringConvertible {
    /// The longest key in bytes.
    public static let maximumLength = 512

    public let description: String

    /// Computed once: a key is hashed when it chooses its shard, looked up there, and counted.
    let hash: Int

    /// Creates the key of a text, shortened if it is longer than ``maximumLength``, as the key of a request is; nil if
    /// the text is empty or has anything but visible ASCII.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        self.init(legal: text)
    }

    /// Creates a key as it stands in the path of a URL, percent-encoded once; nil if the decoded text is not a key.
    public init?(percentEncoded text: String) {
        self.init(PercentEncoding.decoded(text))
    }

    /// Creates the key of a text that is visible ASCII.
    init(legal text: String) {
        let text = ShortenedText.of(text, limit: Self.maximumLength)
        self.description = text
        self.hash = text.hashValue
    }

    public static func == (left: CacheKey, right: CacheKey) -> Bool {
        left.hash == right.hash && left.description == right.description
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
    }
}

extension CacheKey {
    /// The key in the one spelling that invalidations compare.
    package var normalized: String { PercentEncoding.normalized(description) }

    /// The keys of the common spellings of the same URL, this one first.
    package var spellings: [CacheKey] { PercentEncoding.spellings(of: description).compactMap { CacheKey($0) } }

    /// Returns the keys that a text given by a person may stand for: in every common spelling of its URL, with scheme
    /// and host as keys have them.
    package static func spellings(of text: String) -> [CacheKey] {
        PercentEncoding.spellings(of: text).compactMap { CacheKey(URIOrigin.normalizing($0)) }
    }
}
