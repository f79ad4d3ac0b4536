/// Whether a stored response may answer a request now (RFC 9111 §4).
public enum Reuse: Hashable, Sendable {
    /// Why a stale response may be served.
    public enum StaleReason: String, Hashable, Sendable, CaseIterable {
        /// It says so; refresh it in the background (RFC 5861 §3).
        case whileRevalidating = "stale-while-revalidate"
        /// The client says so (RFC 9111 §5.2.1.2).
        case clientAllows = "max-stale"
    }

    /// Why the origin has to be asked first.
    public enum RevalidateReason: String, Hashable, Sendable, CaseIterable {
        /// It is stale.
        case expired
        /// The request says `no-cache`.
        case requestNoCache = "request-no-cache"
        /// The stored response says `no-cache`.
        case responseNoCache = "response-no-cache"
        /// It is older than the request wants.
        case requestMaxAge = "request-max-age"
        /// It will not be fresh for as long as the request wants.
        case requestMinFresh = "request-min-fresh"
    }

    /// How the origin failed.
    public enum Failure: Hashable, Sendable {
        /// No response, or one that broke off.
        case unreachable
        /// A response with this status code.
        case status(Int)
    }

    /// Serve it.
    case fresh
    /// Serve it, though stale.
    case stale(StaleReason)
    /// Ask the origin first, by a conditional request where there is a validator.
    case revalidate(RevalidateReason)
    /// Past its keeping: as if it were not there.
    case unusable

    /// Decides on the path of a hit: comparisons only.
    public static func decide(lifetimes: Lifetimes, request: RequestDirectives, now: Timestamp) -> Reuse {
        .unusable
    }

    /// Whether the stored response may be served although the origin failed (RFC 5861 §4, RFC 9111 §4.2.4).
    public static func mayServeOnError(
        lifetimes: Lifetimes,
        request: RequestDirectives,
        now: Timestamp,
        failure: Failure
    ) -> Bool {
        false
    }
}
