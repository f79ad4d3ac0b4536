public import HTTPTypes

/// What this cache did with a request, for the `Cache-Status` field (RFC 9211).
public struct CacheStatus: Hashable, Sendable {
    /// Why a request went to the origin (RFC 9211 §2.2).
    public enum ForwardReason: String, Hashable, Sendable, CaseIterable {
        /// The cache was told not to handle it.
        case bypass
        /// The method has to be forwarded.
        case method
        /// Nothing is stored for the URI.
        case uriMiss = "uri-miss"
        /// Something is stored for the URI, but not for the fields it varies by.
        case varyMiss = "vary-miss"
        /// Nothing stored would do, for no reason above.
        case miss
        /// What is stored is fresh, but the request's directives ask for more.
        case request
        /// What is stored is stale.
        case stale
        /// What is stored is a part only.
        case partial
    }

    /// Whether the store answered, or the origin was asked.
    public enum Outcome: Hashable, Sendable {
        /// The store answered, without asking the origin.
        case hit
        /// The origin was asked; what it answered, whether that was stored, and whether the request joined another's.
        case forwarded(ForwardReason, status: Int? = nil, stored: Bool = false, collapsed: Bool = false)
    }

    /// The name of this cache, such as `Larder`.
    public var cache: String
    /// Whether the store answered.
    public var outcome: Outcome
    /// Freshness left in seconds, negative where stale (RFC 9211 §2.4).
    public var ttl: Int?
    /// The key in the store (RFC 9211 §2.7).
    public var key: String?
    /// More, such as a ``Refusal``'s token (RFC 9211 §2.8).
    public var detail: String?

    /// Creates a status.
    public init(cache: String, _ outcome: Outcome, ttl: Int? = nil, key: String? = nil, detail: String? = nil) {
        self.cache = cache
        self.outcome = outcome
        self.ttl = ttl
        self.key = key
        self.detail = detail
    }

    /// The member of the list, a valid structured field.
    public func serialized() -> String { "" }

    /// Adds this status to the fields of a response, after those of caches nearer to the origin (RFC 9211 §2).
    public func append(to fields: inout HTTPFields) {}
}
