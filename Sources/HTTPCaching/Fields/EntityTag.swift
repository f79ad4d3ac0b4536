/// The entity tag of a representation, such as `"xyzzy"` or `W/"xyzzy"` (RFC 9110 §8.8.3).
public struct EntityTag: Hashable, Sendable, LosslessStringConvertible {
    /// Whether equal tags stand for equivalent representations only, not for identical ones.
    public let isWeak: Bool
    /// The text between the quotes.
    public let opaque: String

    /// Reads an entity tag as it stands in a field; nil where the text is none. The `W` is case-sensitive.
    public init?(_ text: String) {
        self.init(text[...])
    }

    /// Reads an entity tag as it stands in a field; nil where the text is none.
    public init?(_ text: Substring) {
        let isWeak = text.utf8.starts(with: "W/".utf8)
        let quoted = text.utf8.dropFirst(isWeak ? 2 : 0)
        guard quoted.count >= 2, quoted.first == ASCII.quote, quoted.last == ASCII.quote else { return nil }
        self.init(opaque: String(Substring(quoted.dropFirst().dropLast())), isWeak: isWeak)
    }

    /// Makes a tag of its parts; nil where `opaque` holds a byte that no tag can hold, such as a quote or a space.
    ///
    /// Tags outside ASCII are refused as well, though the grammar has `obs-text`: they reach us as text, and as text
    /// two of them can be equal that differ as bytes.
    public init?(opaque: String, isWeak: Bool = false) {
        // etagc = %x21 / %x23-7E / obs-text
        guard opaque.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != ASCII.quote }) else { return nil }
        self.isWeak = isWeak
        self.opaque = opaque
    }

    /// The tag as it stands in a field.
    public var description: String {
        self.isWeak ? "W/\"\(self.opaque)\"" : "\"\(self.opaque)\""
    }

    /// "Two entity tags are equivalent if both are not weak and their opaque-tags match character-by-character."
    /// (RFC 9110 §8.8.3.2)
    public func stronglyMatches(_ other: EntityTag) -> Bool {
        !self.isWeak && !other.isWeak && self.opaque == other.opaque
    }

    /// "Two entity tags are equivalent if their opaque-tags match character-by-character, regardless of either or both
    /// being tagged as weak." (RFC 9110 §8.8.3.2)
    public func weaklyMatches(_ other: EntityTag) -> Bool {
        self.opaque == other.opaque
    }
}
