public import HTTPTypes

/// What a response allows caches by `Cache-Control` or a targeted field (RFC 9111 §5.2.2, RFC 9213), parsed once.
public struct ResponseDirectives: Hashable, Sendable {
    /// Whether and for what a directive is given that may name fields: `private`, `private="set-cookie"`.
    public enum Scope: Hashable, Sendable {
        /// The directive is not there.
        case absent
        /// It is about the whole response.
        case response
        /// It is about these fields only.
        case fields([HTTPField.Name])
    }

    /// A lifetime as the field gave it.
    public enum Lifetime: Hashable, Sendable {
        /// A number of seconds, saturated at 2^31.
        case seconds(Int64)
        /// Something that is no number: stale (RFC 9111 §4.2.1).
        case invalid
    }

    /// Any cache may store it (RFC 9111 §5.2.2.9).
    public var isPublic = false
    /// A shared cache must not store it, or not these fields (RFC 9111 §5.2.2.7).
    public var privacy = Scope.absent
    /// No cache may store it (RFC 9111 §5.2.2.5).
    public var noStore = false
    /// Validate before each reuse, or leave these fields out (RFC 9111 §5.2.2.4).
    public var noCache = Scope.absent
    /// Never reuse it stale (RFC 9111 §5.2.2.2).
    public var mustRevalidate = false
    /// Shared caches never reuse it stale (RFC 9111 §5.2.2.8).
    public var proxyRevalidate = false
    /// Store it only where the status code is understood (RFC 9111 §5.2.2.3).
    public var mustUnderstand = false
    /// Freshness lifetime (RFC 9111 §5.2.2.1).
    public var maxAge: Lifetime?
    /// Freshness lifetime in shared caches (RFC 9111 §5.2.2.10).
    public var sMaxAge: Lifetime?
    /// How long it may be served stale while it is refreshed (RFC 5861 §3).
    public var staleWhileRevalidate: Duration?
    /// How long it may be served stale where the origin fails (RFC 5861 §4).
    public var staleIfError: Duration?
    /// It will not change while it is fresh (RFC 8246).
    public var immutable = false
    /// Do not transform the content (RFC 9111 §5.2.2.6).
    public var noTransform = false
    /// The targeted field these directives come from, nil where it is `Cache-Control` (RFC 9213 §2.2).
    public var target: HTTPField.Name?

    /// A response that says nothing.
    public init() {}

    /// Reads the first usable field of `targets`, else `Cache-Control`.
    public init(_ fields: HTTPFields, targets: [HTTPField.Name] = []) {}
}
