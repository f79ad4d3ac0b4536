public import HTTPTypes

/// The settings for storing and reusing responses, which differ between a decorated route and a gateway.
public struct CachingRules: Hashable, Sendable {
    /// The set of status codes that may be stored.
    public enum Statuses: Hashable, Sendable {
        /// Only 200 is stored.
        case ok
        /// Every final status that RFC 9111 §3 allows is stored.
        case everyFinal
    }

    /// The status codes that may be stored. The default is ``Statuses/everyFinal``.
    public var storableStatuses = Statuses.everyFinal
    /// The freshness lifetimes of responses with certain status codes that do not declare one. Responses with these
    /// statuses are stored whatever ``storableStatuses`` says, for at least this time, if ``errorLifetimeLimit`` is
    /// less; a lifetime of zero stores none. The default is none.
    public var lifetimes: [Int: Duration] = [:]
    /// The freshness lifetime of a response that does not declare one; nil, the default, gives it none.
    public var defaultLifetime: Duration?
    /// The freshness lifetime of a response, counted from its arrival, whatever the response declares; nil, the
    /// default, uses the lifetime that the response declares. `no-store`, `private` and `no-cache` are not lifetimes,
    /// and still hold. A response with a status that heuristics do not apply to (RFC 9111 §4.2.2), such as a server
    /// error, keeps the lifetime that it declares.
    public var forcedLifetime: Duration?
    /// True if a freshness lifetime may be estimated from `Last-Modified` (RFC 9111 §4.2.2). The default is false.
    public var heuristics = false
    /// The longest lifetime that is estimated. The default is one day (86,400 s).
    public var heuristicLimit = Duration.seconds(86_400)
    /// The longest freshness lifetime of a response with a 5xx status, or with a 4xx status other than 404, 405, 410,
    /// 414 and 451, whatever the response and these rules declare. The default is 10 s. Such a response is not served
    /// stale, and zero prevents it from being stored.
    ///
    /// An origin that adds its directives to every response adds them to its errors too, and a field of one request may
    /// have caused an error that all other requests would get.
    public var errorLifetimeLimit = Duration.seconds(10)
    /// The time for which a response may be served stale while it is refreshed, if it does not declare one. The default
    /// is 0 s.
    public var staleWhileRevalidate = Duration.zero
    /// The time for which a response may be served stale if the origin fails, unless it declares one. The default is 0
    /// s.
    public var staleIfError = Duration.zero
    /// The time for which a stale response stays stored for validation. The default is 0 s.
    public var retention = Duration.zero
    /// True if a stale response may be served, as long as it is stored, if the origin cannot be reached. The default is
    /// false.
    public var servesStaleOnUnreachable = false
    /// True if `stale-while-revalidate` and `stale-if-error` hold beside `s-maxage`, which forbids stale reuse by
    /// RFC 9111 §5.2.2.10. The default is false.
    public var allowsStaleBesideSMaxAge = false
    /// True if a response that sets a cookie may be stored. The default is false.
    public var allowsSetCookie = false
    /// True if the credentials of a request do not matter, or are part of the key. The default is false.
    public var allowsAuthorization = false
    /// The request fields that are credentials in addition to `Authorization`. The default is `Proxy-Authorization` and
    /// `X-API-Key`: RFC 9111 §3.5 names only `Authorization`, but an origin can omit `private` from the response to any
    /// of them.
    public var credentialFields: [HTTPField.Name] = [.proxyAuthorization, .xAPIKey]
    /// True if a response is stored only if it has `public` or `s-maxage`. The default is false.
    public var requiresExplicitPermission = false
    /// The targeted fields that take precedence over `Cache-Control`, in order (RFC 9213). The default is none.
    public var targetedFields: [HTTPField.Name] = []
    /// The fields that name the tags of a response. The default is none.
    public var tagFields: [HTTPField.Name] = []

    /// Creates the default rules, which store only responses that declare a lifetime.
    public init() {}

    /// Returns the fields of a request that are credentials by these rules, in the order of the rules.
    package func credentials(in request: HTTPFields) -> [HTTPField.Name] {
        ([.authorization] + credentialFields).filter(request.contains)
    }

    /// Returns the rules of a decorated route: only 200 is stored, for `ttl` if the response does not declare a
    /// lifetime.
    public static func decoratedRoute(ttl: Duration?) -> CachingRules {
        var rules = CachingRules()
        rules.storableStatuses = .ok
        rules.defaultLifetime = ttl
        rules.tagFields = [.cacheTag, .surrogateKey]
        rules.targetedFields = [.larderCacheControl]
        return rules
    }

    /// The rules of a reverse proxy: those of a shared cache by RFC 9111.
    public static let gateway: CachingRules = {
        var rules = CachingRules()
        rules.heuristics = true
        rules.retention = .seconds(86_400)
        rules.servesStaleOnUnreachable = true
        rules.targetedFields = [.cdnCacheControl]
        rules.tagFields = [.surrogateKey, .cacheTag]
        return rules
    }()
}
