/// How long a stored response is good for what. Points in time, so that the path of a hit only compares.
///
/// `freshUntil` is never after the others, and `keepUntil` never before them.
public struct Lifetimes: Hashable, Sendable {
    /// Where the freshness lifetime comes from. The numbers stand in stores outside of the process: none is given anew.
    public enum Source: UInt8, Hashable, Sendable, CaseIterable {
        /// Nothing gave one: the response is stale from the start.
        case none
        /// `s-maxage`.
        case sMaxAge
        /// `max-age`.
        case maxAge
        /// `Expires`.
        case expires
        /// A fraction of the time since `Last-Modified` (RFC 9111 §4.2.2).
        case heuristic
        /// The rules' lifetime: the default, or one that beats the response.
        case rules
    }

    /// When the response would have been made, had its age grown only by waiting: its age is `now - born`
    /// (RFC 9111 §4.2.3).
    public let born: Timestamp
    /// Fresh before this moment.
    public let freshUntil: Timestamp
    /// May be served stale while it is refreshed, before this moment (RFC 5861 §3).
    public let staleWhileRevalidateUntil: Timestamp
    /// May be served stale where the origin answers with an error, before this moment (RFC 5861 §4).
    public let staleIfErrorUntil: Timestamp
    /// May be served stale where the origin cannot be reached, before this moment (RFC 9111 §4.2.4).
    public let staleIfUnreachableUntil: Timestamp
    /// Of no use from this moment on, not even for validation.
    public let keepUntil: Timestamp
    /// Where the freshness lifetime comes from.
    public let source: Source
    /// Must not be served stale, whatever a client says (`must-revalidate`, `proxy-revalidate`, `s-maxage`,
    /// `no-cache`).
    public let mustRevalidate: Bool
    /// Must be validated at every reuse, even while fresh (`no-cache`).
    public let alwaysRevalidate: Bool
    /// Will not change while it is fresh (RFC 8246).
    public let isImmutable: Bool

    /// Creates lifetimes; moments that break the order are moved to keep it.
    public init(
        born: Timestamp,
        freshUntil: Timestamp,
        staleWhileRevalidateUntil: Timestamp,
        staleIfErrorUntil: Timestamp,
        staleIfUnreachableUntil: Timestamp,
        keepUntil: Timestamp,
        source: Source,
        mustRevalidate: Bool = false,
        alwaysRevalidate: Bool = false,
        isImmutable: Bool = false
    ) {
        self.born = born
        self.freshUntil = freshUntil
        self.staleWhileRevalidateUntil = max(freshUntil, staleWhileRevalidateUntil)
        self.staleIfErrorUntil = max(freshUntil, staleIfErrorUntil)
        self.staleIfUnreachableUntil = max(freshUntil, staleIfUnreachableUntil)
        self.keepUntil = max(
            max(freshUntil, staleWhileRevalidateUntil),
            max(staleIfErrorUntil, max(staleIfUnreachableUntil, keepUntil))
        )
        self.source = source
        self.mustRevalidate = mustRevalidate
        self.alwaysRevalidate = alwaysRevalidate
        self.isImmutable = isImmutable
    }

    /// Whether there is a time in which the response may be served stale by its own word or that of the rules.
    var hasStaleWindow: Bool {
        max(self.staleWhileRevalidateUntil, self.staleIfErrorUntil) > self.freshUntil
    }

    /// Whether one answer of the origin may be that of several requests, without each of them being validated: it has a
    /// lifetime, however little of it is left on arrival, or may be served stale at once (RFC 9111 §4).
    public var mayAnswerOthers: Bool { !alwaysRevalidate && staleWhileRevalidateUntil > born }

    /// Whether the response has been stale for no longer than it was fresh, and for a minute at most.
    public func isBarelyStale(at now: Timestamp) -> Bool {
        now.duration(since: freshUntil) <= min(freshUntil.duration(since: born), .seconds(60))
    }

    /// Whether the freshness lifetime was guessed (RFC 9111 §4.2.2).
    public var isHeuristic: Bool { self.source == .heuristic }

    /// The age in whole seconds, for the `Age` field (RFC 9111 §5.1); never negative, at most 2^31.
    public func age(at now: Timestamp) -> Int {
        Int(min(max(0, now.seconds(since: self.born)), 1 << 31))
    }

    /// The freshness left in whole seconds, negative where it is stale (RFC 9211 §2.4). Rounded up, as the age is
    /// rounded down, so that the two add up to the lifetime.
    public func ttl(at now: Timestamp) -> Int {
        -Int(now.seconds(since: self.freshUntil))
    }
}
