/// The points in time until which a stored response may be used in different ways, so that a hit only compares.
///
/// `freshUntil` is never after the others, and `storedUntil` never before them.
public struct Lifetimes: Hashable, Sendable {
    /// The source of the freshness lifetime. External stores hold the numbers: they are never reassigned.
    public enum Source: UInt8, Hashable, Sendable, CaseIterable {
        /// The response has no freshness lifetime: it is stale from the start.
        case none
        /// `s-maxage`.
        case sMaxAge
        /// `max-age`.
        case maxAge
        /// `Expires`.
        case expires
        /// A fraction of the time since `Last-Modified` (RFC 9111 §4.2.2).
        case heuristic
        /// The lifetime of the rules: the default, or the forced one.
        case rules
    }

    /// The time at which the response's age was zero, if the age has grown only with time: the age is
    /// `now - generatedAt` (RFC 9111 §4.2.3).
    public let generatedAt: Timestamp
    /// The end of the response's freshness: it is fresh before this time.
    public let freshUntil: Timestamp
    /// The time before which the response may be served stale while it is refreshed (RFC 5861 §3).
    public let staleWhileRevalidateUntil: Timestamp
    /// The time before which the response may be served stale if the origin answers with an error (RFC 5861 §4).
    public let staleIfErrorUntil: Timestamp
    /// The time before which the response may be served stale if the origin cannot be reached (RFC 9111 §4.2.4).
    public let staleIfUnreachableUntil: Timestamp
    /// The time from which the response cannot be used, not even for validation.
    public let storedUntil: Timestamp
    /// The source of the freshness lifetime.
    public let source: Source
    /// True if the response must not be served stale even if a client allows it (`must-revalidate`, `proxy-revalidate`,
    /// `s-maxage`, `no-cache`).
    public let mustRevalidate: Bool
    /// True if the response must be validated at every reuse, even while it is fresh (`no-cache`).
    public let alwaysRevalidate: Bool
    /// True if the response does not change while it is fresh (RFC 8246).
    public let isImmutable: Bool

    /// Creates lifetimes. Times that break the order are moved later to restore it.
    public init(
        generatedAt: Timestamp,
        freshUntil: Timestamp,
        staleWhileRevalidateUntil: Timestamp,
        staleIfErrorUntil: Timestamp,
        staleIfUnreachableUntil: Timestamp,
        storedUntil: Timestamp,
        source: Source,
        mustRevalidate: Bool = false,
        alwaysRevalidate: Bool = false,
        isImmutable: Bool = false
    ) {
        self.generatedAt = generatedAt
        self.freshUntil = freshUntil
        self.staleWhileRevalidateUntil = max(freshUntil, staleWhileRevalidateUntil)
        self.staleIfErrorUntil = max(freshUntil, staleIfErrorUntil)
        self.staleIfUnreachableUntil = max(freshUntil, staleIfUnreachableUntil)
        self.storedUntil = max(
            max(freshUntil, staleWhileRevalidateUntil),
            max(staleIfErrorUntil, max(staleIfUnreachableUntil, storedUntil))
        )
        self.source = source
        self.mustRevalidate = mustRevalidate
        self.alwaysRevalidate = alwaysRevalidate
        self.isImmutable = isImmutable
    }

    /// Returns the lifetimes of a response whose freshness ends now, unless it has ended before.
    ///
    /// The times for which it may be served stale begin now, and are as long as before. It is stored until the same
    /// time. No time is later than before.
    public func endingFreshness(at now: Timestamp) -> Lifetimes {
        guard now < freshUntil else { return self }
        let cut = freshUntil.nanoseconds(since: now)
        let errorUntil = staleIfErrorUntil.advanced(byNanoseconds: -cut)
        return Lifetimes(
            generatedAt: generatedAt,
            freshUntil: now,
            staleWhileRevalidateUntil: staleWhileRevalidateUntil.advanced(byNanoseconds: -cut),
            staleIfErrorUntil: errorUntil,
            staleIfUnreachableUntil: staleIfUnreachableUntil < storedUntil ? errorUntil : staleIfUnreachableUntil,
            storedUntil: storedUntil,
            source: source,
            mustRevalidate: mustRevalidate,
            alwaysRevalidate: alwaysRevalidate,
            isImmutable: isImmutable
        )
    }

    /// True if the response may be served stale for some time, by its own directives or by the rules.
    var hasStaleWindow: Bool {
        max(staleWhileRevalidateUntil, staleIfErrorUntil) > freshUntil
    }

    /// True if one response of the origin may answer several requests without validation for each of them: it has a
    /// lifetime, however little of it is left on arrival, or may be served stale at once (RFC 9111 §4).
    public var mayAnswerOthers: Bool { !alwaysRevalidate && staleWhileRevalidateUntil > generatedAt }

    /// Returns true if the response has been stale for at most as long as it was fresh, and for at most 60 s.
    public func isBarelyStale(at now: Timestamp) -> Bool {
        now.duration(since: freshUntil) <= min(freshUntil.duration(since: generatedAt), .seconds(60))
    }

    /// Returns the age in whole seconds, from 0 to 2^31, for the `Age` field (RFC 9111 §5.1).
    public func age(at now: Timestamp) -> Int {
        Int(min(max(0, now.seconds(since: generatedAt)), 1 << 31))
    }

    /// Returns the freshness left in whole seconds, negative if the response is stale (RFC 9211 §2.4). It is rounded
    /// up, and the age down, so that the two add up to the lifetime.
    public func ttl(at now: Timestamp) -> Int {
        -Int(now.seconds(since: freshUntil))
    }
}
