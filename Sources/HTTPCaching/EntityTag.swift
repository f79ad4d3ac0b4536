/// The entity tag of a representation (RFC 9110 §8.8.3).
public struct EntityTag: Hashable, Sendable, LosslessStringConvertible {
    /// Whether the tag stands for equivalent rather than identical bytes.
    public let isWeak: Bool
    /// The text between the quotes.
    public let opaque: String

    /// Reads an entity tag as it stands in a field.
    public init?(_ text: String) {
        return nil
    }

    /// Makes a tag of its parts; nil where `opaque` holds a byte that no tag may hold.
    public init?(opaque: String, isWeak: Bool = false) {
        self.isWeak = isWeak
        self.opaque = opaque
    }

    /// The tag as it stands in a field.
    public var description: String { "" }

    /// Strong comparison (RFC 9110 §8.8.3.2).
    public func stronglyMatches(_ other: EntityTag) -> Bool { false }

    /// Weak comparison (RFC 9110 §8.8.3.2).
    public func weaklyMatches(_ other: EntityTag) -> Bool { false }
}
