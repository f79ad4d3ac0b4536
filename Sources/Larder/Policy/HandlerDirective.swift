import HTTPCaching

/// The directive of a handler for the cache alone: the value of `Larder-Cache-Control`, which is a targeted
/// field (RFC 9213). It takes precedence over `Cache-Control` and over the policy, and clients do not get it.
package enum HandlerDirective: Hashable, Sendable {
    /// The response is fresh for this time; zero or less stores nothing.
    case fresh(for: Duration)
    /// The response is fresh for this time, and is not served after it; zero or less stores nothing.
    case only(for: Duration)
    /// The response is not stored.
    case notStored

    /// The value of the field. A time is rounded up to whole seconds, the unit of `max-age`.
    package var fieldValue: String {
        switch self {
        case .fresh(let lifetime) where lifetime > .zero: Self.maxAge(lifetime)
        case .only(let lifetime) where lifetime > .zero:
            Self.maxAge(lifetime) + ", stale-while-revalidate=0, stale-if-error=0"
        case .fresh, .only, .notStored: "no-store"
        }
    }

    private static func maxAge(_ lifetime: Duration) -> String {
        "max-age=\(lifetime.components.seconds + (lifetime.components.attoseconds > 0 ? 1 : 0))"
    }
}
