/// The name of a request field, or what such names begin with: `X-Tenant-Debug`, `X-Internal-*`. Case does not count.
public struct FieldPattern: Hashable, Sendable, CustomStringConvertible {
    /// What a pattern looks like, for messages.
    static let expectation =
        "the name of a field, or its beginning and a *, as X-Tenant-Debug or X-Internal-*, and none "
        + "that requests need, as \(needed[0])"

    /// The fields without which a request is not what it was, by their canonical names.
    private static let needed = [
        "host", "content-length", "transfer-encoding", "content-type", "connection", "te", "trailer", "upgrade",
        "expect", "max-forwards", "via",
    ]

    private let name: String
    private let isPrefix: Bool

    /// Reads a pattern; nil if it is none, or means a field that requests need.
    public init?(_ text: String) {
        isPrefix = text.utf8.last == UInt8(ascii: "*")
        name = (isPrefix ? String(text.dropLast()) : text).lowercased()
        guard (1...256).contains(name.utf8.count), name.utf8.allSatisfy(Self.isNameByte),
            !Self.needed.contains(where: matches)
        else { return nil }
    }

    public var description: String { name + (isPrefix ? "*" : "") }

    /// Returns true if the pattern means a field, by its canonical name.
    public func matches(_ canonicalName: String) -> Bool {
        isPrefix ? canonicalName.hasPrefix(name) : canonicalName == name
    }

    /// What a token is made of (RFC 9110 §5.6.2), but for the asterisk.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"\"(),/:;<=>?@[\\]{}*".utf8.contains(byte)
    }
}
