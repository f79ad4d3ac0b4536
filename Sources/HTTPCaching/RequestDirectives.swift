public import HTTPTypes

/// What a request asks of caches by `Cache-Control` and `Pragma` (RFC 9111 §5.2.1, §5.4; RFC 5861 §4), parsed once.
public struct RequestDirectives: Hashable, Sendable {
    /// How far past its freshness lifetime the client accepts a response (RFC 9111 §5.2.1.2).
    public enum MaxStale: Hashable, Sendable {
        /// A stale response of any age will do.
        case any
        /// A response that has been stale for at most this long will do.
        case atMost(Duration)
    }

    /// Validate before reuse (RFC 9111 §5.2.1.4).
    public var noCache = false
    /// Do not store the response (RFC 9111 §5.2.1.5).
    public var noStore = false
    /// Do not transform the content (RFC 9111 §5.2.1.6).
    public var noTransform = false
    /// Answer from the store or with a 504 (RFC 9111 §5.2.1.7).
    public var onlyIfCached = false
    /// The greatest age the client wants (RFC 9111 §5.2.1.1).
    public var maxAge: Duration?
    /// How long the response has to stay fresh yet (RFC 9111 §5.2.1.3).
    public var minFresh: Duration?
    /// How stale the response may be (RFC 9111 §5.2.1.2).
    public var maxStale: MaxStale?
    /// How stale the response may be where the origin fails (RFC 5861 §4).
    public var staleIfError: Duration?

    /// A request that asks nothing.
    public static let none = RequestDirectives()

    /// A request that asks nothing.
    public init() {}

    /// Reads the directives of a request's fields.
    public init(_ fields: HTTPFields) {}
}
