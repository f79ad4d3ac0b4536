public import HTTPCaching
public import HTTPTypes

/// A response that states in its `Cache-Status` field how a cache handled the request.
///
/// A test asks it in words:
/// ```swift
/// #expect(response.isHit)
/// #expect(response.cacheStatus?.detail == "nocache")
/// ```
/// The words are about the cache called `Larder`, whose last member counts: other caches in front of it or behind it
/// have members as well. If the application gave its cache another name, use ``cacheStatus(of:)``.
///
/// Conform the response type of an HTTP client to use the words with it.
public protocol CacheStatusReadable {
    /// The value of the response's `Cache-Status` field, with several lines joined by commas; nil if it has none.
    var cacheStatusField: String? { get }
}

extension CacheStatusReadable {
    /// The status that the cache called `Larder` gave; nil if it gave none, as for the response to a thrown error, or
    /// if the field is not valid.
    public var cacheStatus: CacheStatus? { cacheStatus(of: "Larder") }

    /// Returns the status that a cache gave; nil if it gave none, or if the field is not valid.
    /// - Parameter cache: The name of the cache: the argument of `ResponseCache.init(store:name:)`.
    public func cacheStatus(of cache: String) -> CacheStatus? {
        cacheStatusField.flatMap { CacheStatus(of: cache, inFieldValue: $0) }
    }

    /// True if the response came from the store, fresh or stale, and the origin was not asked for it.
    public var isHit: Bool { cacheStatus?.isHit ?? false }

    /// True if the store had no response that could be served at once, so that the origin was asked, or another request
    /// that had asked it was waited for.
    public var isMiss: Bool { cacheStatus?.isMiss ?? false }

    /// True if the request went to the origin without the store. ``cacheStatus`` has the reason as its `detail`.
    ///
    /// A request with another method than GET and HEAD is neither a hit, nor a miss, nor a bypass: its forward reason
    /// is `method`.
    public var isBypass: Bool { cacheStatus?.isBypass ?? false }

    /// True if a stale stored response was served: while it is refreshed, because the client allows it (both are hits),
    /// or because the origin failed or is slow (hits and misses).
    public var isStale: Bool { cacheStatus?.isStale ?? false }
}

extension HTTPFields: CacheStatusReadable {
    public var cacheStatusField: String? { self[.cacheStatus] }
}

extension HTTPResponse: CacheStatusReadable {
    public var cacheStatusField: String? { headerFields.cacheStatusField }
}

extension CacheStatus {
    /// True if the response came from the store.
    public var isHit: Bool { outcome == .hit }

    /// True if the origin was asked because of what the store had, or had not.
    public var isMiss: Bool {
        guard case .forwarded(let reason, _, _, _) = outcome else { return false }
        return reason != .bypass && reason != .method
    }

    /// True if the request went to the origin without the store.
    public var isBypass: Bool {
        guard case .forwarded(.bypass, _, _, _) = outcome else { return false }
        return true
    }

    /// True if a stale stored response was served.
    public var isStale: Bool {
        if let detail, Self.staleDetails.contains(detail) { return true }
        return isHit && ttl.map { $0 < 0 } ?? false
    }

    /// The details with which Larder serves stale responses. In the second in which it becomes stale, a response has a
    /// remaining lifetime of 0, as it has in its last fresh one.
    private static let staleDetails: Set<String> = Set(
        Reuse.StaleReason.allCases.map(\.rawValue) + ["stale-if-error", "soft-timeout"]
    )
}
