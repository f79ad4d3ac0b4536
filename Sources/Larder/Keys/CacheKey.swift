import HTTPCaching

/// The key under which a response is stored, removed and counted: `GET:/api/posts/`.
///
/// A key is the method, a colon and the path, then `?` and the query if there is one, then `#` and the further parts
/// that the policy varies by: `#user=42&accept-language:de`. A user is written with `=`, a request field with `:`,
/// neither of which occurs in an encoded name or value, so that no part can be taken for another. A field that the
/// request does not have is its name alone; several lines of one field are separated by `,`.
///
/// A key is 1 to 512 bytes of visible ASCII. A longer text is shortened to its beginning, `#sha256=` and the SHA-256 of
/// the whole. A target cannot contain a raw `#`, and no part of a key is called `sha256=`, so that a request cannot
/// spell a shortened key.
public struct CacheKey: Hashable, Sendable, CustomStringConvertible {
    /// The length of the longest key in bytes.
    public static let maximumLength = 512

    public let description: String

    /// The hash of the key, computed once: it chooses the shard, and is used for the look-up there and for counting.
    let hash: Int

    /// Creates the key of a text, shortened if it is longer than ``maximumLength``, like the key of a request; nil if
    /// the text is empty or has anything but visible ASCII.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        self.init(legal: text)
    }

    /// Creates a key from its percent-encoded text in a URL's path, decoded once; nil if the decoded text is not a
    /// key.
    public init?(percentEncoded text: String) {
        self.init(PercentEncoding.decoded(text))
    }

    /// Creates the key of a text that is visible ASCII.
    init(legal text: String) {
        let text = ShortenedText.of(text, limit: Self.maximumLength)
        self.description = text
        self.hash = text.hashValue
    }

    /// Creates a key again from its text and its hash.
    init(description: String, hash: Int) {
        self.description = description
        self.hash = hash
    }

    public static func == (left: CacheKey, right: CacheKey) -> Bool {
        left.hash == right.hash && left.description == right.description
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
    }
}

extension CacheKey {
    /// The key in the normalized spelling that invalidations compare.
    package var normalized: String { PercentEncoding.normalized(description) }

    /// The keys of the common spellings of the same URL, this one first.
    package var spellings: [CacheKey] { PercentEncoding.spellings(of: description).compactMap { CacheKey($0) } }

    /// Returns the keys that a text entered by a person may stand for: in every common spelling of its URL, with scheme
    /// and host as keys have them.
    package static func spellings(of text: String) -> [CacheKey] {
        PercentEncoding.spellings(of: text).compactMap { CacheKey(URIOrigin.normalizing($0)) }
    }
}
