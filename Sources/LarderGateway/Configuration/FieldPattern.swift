/// The name of a request field, or a prefix of such names: `X-Tenant-Debug`, `X-Internal-*`. Case does not matter.
public struct FieldPattern: Hashable, Sendable, CustomStringConvertible {
    /// The expected form of a pattern, for messages.
    static let expectation =
        "the name of a field, or a prefix and a *, such as X-Tenant-Debug or X-Internal-*, but no field "
        + "that requests need, such as \(needed[0])"

    /// The fields that must not be dropped, since a request has another meaning without them, by their canonical names.
    private static let needed = [
        "host", "content-length", "transfer-encoding", "content-type", "connection", "te", "trailer", "upgrade",
        "expect", "max-forwards", "via",
    ]

    private let name: String
    private let isPrefix: Bool

    /// Creates a pattern from a text. Returns nil if the text is not a pattern, or if the pattern matches a field that
    /// must not be dropped.
    public init?(_ text: String) {
        isPrefix = text.utf8.last == UInt8(ascii: "*")
        name = (isPrefix ? String(text.dropLast()) : text).lowercased()
        guard (1...256).contains(name.utf8.count), name.utf8.allSatisfy(Self.isNameByte),
            !Self.needed.contains(where: matches)
        else { return nil }
    }

    public var description: String { name + (isPrefix ? "*" : "") }

    /// Returns true if the pattern matches the canonical name of a field.
    public func matches(_ canonicalName: String) -> Bool {
        isPrefix ? canonicalName.hasPrefix(name) : canonicalName == name
    }

    /// Returns true for the bytes of a token (RFC 9110 §5.6.2) except the asterisk.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"\"(),/:;<=>?@[\\]{}*".utf8.contains(byte)
    }
}
