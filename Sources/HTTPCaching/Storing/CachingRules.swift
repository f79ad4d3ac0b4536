public import HTTPTypes

/// The knobs of storing: what differs between a decorated route and a gateway.
public struct CachingRules: Hashable, Sendable {
    /// Which status codes may be stored.
    public enum Statuses: Hashable, Sendable {
        /// 200 alone.
        case ok
        /// Every final status that RFC 9111 §3 allows.
        case everyFinal
    }

    /// Which status codes may be stored.
    public var storableStatuses = Statuses.everyFinal
    /// The freshness lifetime of a response that says nothing about it; nil: it has none.
    public var defaultLifetime: Duration?
    /// The freshness lifetime of a response, counted from its arrival, whatever the response says of it; nil: what it
    /// says counts. `no-store`, `private` and `no-cache` are no lifetimes, and hold; and a status that none may be
    /// assigned to (RFC 9111 §4.2.2), an error of the server above all, keeps its own.
    public var forcedLifetime: Duration?
    /// Whether a freshness lifetime may be guessed from `Last-Modified` (RFC 9111 §4.2.2).
    public var heuristics = false
    /// The greatest lifetime that is guessed.
    public var heuristicLimit = Duration.seconds(86_400)
    /// The longest freshness lifetime of a response with a status of 5xx, or of 4xx but for 404, 405, 410, 414 and 451,
    /// whatever the response and these rules say. It is not served stale either, and zero keeps such responses from
    /// being stored.
    ///
    /// An origin that sends its directives with every response sends them with its errors, too; and a field of one
    /// request may have caused the error that all others would get.
    public var errorLifetimeLimit = Duration.seconds(10)
    /// How long a response may be served stale while it is refreshed, where it does not say.
    public var staleWhileRevalidate = Duration.zero
    /// How long a response may be served stale where the origin fails, where it does not say.
    public var staleIfError = Duration.zero
    /// How long a stale response is kept for validation.
    public var keep = Duration.zero
    /// Whether a stale response may be served, as long as it is kept, where the origin cannot be reached.
    public var servesStaleOnUnreachable = false
    /// Whether `stale-while-revalidate` and `stale-if-error` hold beside `s-maxage`, which by RFC 9111 §5.2.2.10
    /// forbids stale reuse.
    public var allowsStaleBesideSMaxAge = false
    /// Whether a response that sets a cookie may be stored.
    public var allowsSetCookie = false
    /// Whether the credentials of a request do not matter, or are part of the key.
    public var allowsAuthorization = false
    /// The request fields that are credentials as `Authorization` is, which always is one. `Proxy-Authorization` and
    /// `X-API-Key` by default: RFC 9111 §3.5 names `Authorization` alone, and a server that is asked with another
    /// field forgets `private` as easily.
    public var credentialFields: [HTTPField.Name] = [.proxyAuthorization, .xAPIKey]
    /// Whether only a response that says `public` or `s-maxage` is stored.
    public var requiresExplicitPermission = false
    /// The targeted fields that beat `Cache-Control`, in order (RFC 9213).
    public var targetedFields: [HTTPField.Name] = []
    /// The fields that name the tags of a response.
    public var tagFields: [HTTPField.Name] = []

    /// Rules that store what says how long, and nothing else.
    public init() {}

    /// Returns the fields of a request that are credentials by these rules, in the order of the rules.
    package func credentials(in request: HTTPFields) -> [HTTPField.Name] {
        ([.authorization] + credentialFields).filter(request.contains)
    }

    /// The preset of a decorated route: 200 only, `ttl` where the response says nothing.
    public static func decoratedRoute(ttl: Duration?) -> CachingRules {
        var rules = CachingRules()
        rules.storableStatuses = .ok
        rules.defaultLifetime = ttl
        rules.tagFields = [.cacheTag, .surrogateKey]
        return rules
    }

    /// The preset of a reverse proxy: RFC 9111 as a shared cache.
    public static let gateway: CachingRules = {
        var rules = CachingRules()
        rules.heuristics = true
        rules.keep = .seconds(86_400)
        rules.servesStaleOnUnreachable = true
        rules.targetedFields = [.cdnCacheControl]
        rules.tagFields = [.surrogateKey, .cacheTag]
        return rules
    }()
}
