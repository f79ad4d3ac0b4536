/// The entity tag of a representation, such as `"xyzzy"` or `W/"xyzzy"` (RFC 9110 §8.8.3).
public struct EntityTag: Hashable, Sendable, LosslessStringConvertible {
    /// True if equal tags mean equivalent representations, not necessarily identical ones.
    public let isWeak: Bool
    /// The text between the quotes.
    public let opaque: String

    /// Creates an entity tag from its text in a field, or returns nil if the text is not one. The `W` is
    /// case-sensitive.
    public init?(_ text: String) {
        self.init(text[...])
    }

    /// Creates an entity tag from its text in a field, or returns nil if the text is not one.
    public init?(_ text: Substring) {
        let isWeak = text.utf8.starts(with: "W/".utf8)
        let quoted = text.utf8.dropFirst(isWeak ? 2 : 0)
        guard quoted.count >= 2, quoted.first == ASCII.quote, quoted.last == ASCII.quote else { return nil }
        self.init(opaque: String(Substring(quoted.dropFirst().dropLast())), isWeak: isWeak)
    }

    /// Creates an entity tag from its parts, or returns nil if `opaque` holds a byte that a tag cannot hold, such as a
    /// quote or a space.
    ///
    /// Tags outside ASCII are rejected too, though the grammar has `obs-text`: they arrive as text, and two tags that
    /// differ in their bytes can be equal as text.
    public init?(opaque: String, isWeak: Bool = false) {
        // etagc = %x21 / %x23-7E / obs-text
        guard opaque.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != ASCII.quote }) else { return nil }
        self.isWeak = isWeak
        self.opaque = opaque
    }

    /// The text of the tag in a field.
    public var description: String {
        isWeak ? "W/\"\(opaque)\"" : "\"\(opaque)\""
    }

    /// Compares two tags strongly: "Two entity tags are equivalent if both are not weak and their opaque-tags match
    /// character-by-character." (RFC 9110 §8.8.3.2)
    public func stronglyMatches(_ other: EntityTag) -> Bool {
        !isWeak && !other.isWeak && opaque == other.opaque
    }

    /// Compares two tags weakly: "Two entity tags are equivalent if their opaque-tags match character-by-character,
    /// regardless of either or both being tagged as weak." (RFC 9110 §8.8.3.2)
    public func weaklyMatches(_ other: EntityTag) -> Bool {
        opaque == other.opaque
    }
}
