import Crypto

/// What a response is stored under, deleted by and counted under: `GET:/api/posts/`.
///
/// Method, colon, path, then `?` and the query where there is one, then `#` and what the policy varies by beyond them.
/// A key is 1 to 512 bytes of visible ASCII; a longer one keeps its head and ends in a hash.
public struct CacheKey: Hashable, Sendable, CustomStringConvertible {
    /// The longest key in bytes.
    public static let maximumLength = 512

    public let description: String

    /// Computed once: a key is hashed when it chooses its shard, looked up there, and counted.
    let hash: Int

    /// A key, or nil where the text is empty, too long, or holds anything but visible ASCII.
    public init?(_ text: String) {
        guard (1...Self.maximumLength).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        self.init(legal: text)
    }

    /// A key as it stands in the path of a URL, percent-encoded once; nil where what is encoded is no key.
    public init?(percentEncoded text: String) {
        self.init(PercentEncoding.decoded(text))
    }

    /// A key of text known to be legal but for its length.
    init(legal text: String) {
        let text = text.utf8.count <= Self.maximumLength ? text : Self.shortened(text)
        self.description = text
        self.hash = text.hashValue
    }

    public static func == (left: CacheKey, right: CacheKey) -> Bool {
        left.hash == right.hash && left.description == right.description
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
    }

    /// The head of an over-long key and the SHA-256 of the whole, so that two keys with one head stay apart.
    private static func shortened(_ text: String) -> String {
        let digest = SHA256.hash(data: Array(text.utf8))
        var tail: [UInt8] = Array("~".utf8)
        for byte in digest {
            tail.append(PercentEncoding.digit(byte >> 4))
            tail.append(PercentEncoding.digit(byte & 0xF))
        }
        return String(text.prefix(maximumLength - tail.count)) + String(decoding: tail, as: UTF8.self)
    }
}
