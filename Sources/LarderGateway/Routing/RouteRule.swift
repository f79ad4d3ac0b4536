import HTTPCaching
import HTTPTypes
import Larder

/// A route as the file writes it.
struct RouteRule: Hashable {
    /// What a request with cookies gets.
    enum Cookies: String, CaseIterable {
        /// What everybody gets, by what the response says: a gateway's rule. Cookies are sent to the origin, which says
        /// `private` if its answer depends on them (RFC 9111 §7.3).
        case forward
        /// What everybody gets. Answers do not depend on cookies, so that nothing that may be stored is fetched with
        /// them.
        case ignore
        /// The origin's answer, past the cache.
        case bypass
        /// The same as `ignore`.
        case drop
    }

    /// The keys of a route, as the file names them.
    enum Key: String, CaseIterable {
        case path, host, origin, cache, ttl
        case forceTTL = "force-ttl"
        case errorTTL = "error-ttl"
        case staleWhileRevalidate = "stale-while-revalidate"
        case staleIfError = "stale-if-error"
        case staleAfter = "stale-after"
        case clientDirectives = "client-directives"
        case vary, cookies, credentials, bypass, query, tags, invalidates
        case bodyLimit = "body-limit"
        case tagLimit = "tag-limit"
        case wait
        case tagFields = "tag-fields"
        case targetedFields = "targeted-fields"
        case allowSetCookie = "allow-set-cookie"
        case invalidateOnError = "invalidate-on-error"
    }

    /// The highest `tag-limit` that a file may give: each tag is compared at every look-up in Redis.
    static let highestTagLimit = 10_000

    /// Where the route begins.
    private(set) var place: Diagnostic.Place
    /// What was given, and where.
    var places: [Key: Diagnostic.Place] = [:]
    var path: PathPattern?
    var host: HostPattern?
    var origin: String?
    var isCached = true
    var ttl: Duration?
    var forceTTL: Duration?
    var errorTTL: Duration?
    var staleWhileRevalidate: Duration?
    var staleIfError: Duration?
    /// How long a request waits for the origin while a stale response could be served if it failed.
    var staleAfter: Duration?
    var clientDirectives: CachePolicy.ClientDirectives?
    var vary: [HTTPField.Name] = []
    var cookies = Cookies.forward
    /// The fields that are credentials besides `Authorization`; nil: those of a gateway.
    var credentialFields: [HTTPField.Name]?
    /// The cookies that are credentials; nil: what `cookies` says holds for all.
    var credentialCookies: [NamePattern]?
    var bypass: BypassRule?
    var ignoredParameters: [NamePattern] = []
    var tags: [CacheTag] = []
    var invalidates: [InvalidationScope] = []
    var bodyLimit: ByteCount?
    var tagLimit: Int?
    var wait: Duration?
    var tagFields: [HTTPField.Name]?
    var targetedFields: [HTTPField.Name]?
    var allowSetCookie = false
    var invalidateOnError = false

    /// The name in logs: host and path.
    var name: String { (host?.description ?? "") + (path?.description ?? "") }

    /// What becomes of the requests of the route, whichever they are and wherever the file says it.
    var treatment: RouteRule {
        var rule = self
        (rule.place, rule.places, rule.path, rule.host, rule.origin) = (.nowhere, [:], nil, nil, nil)
        return rule
    }

    /// Whether every request that `other` takes is taken by this route.
    func covers(_ other: RouteRule) -> Bool {
        guard let path, let otherPath = other.path, path.covers(otherPath) else { return false }
        guard let host else { return true }
        return other.host.map(host.covers) ?? false
    }
}

extension RouteRule {
    /// How the route's responses are cached: as a gateway does, but for what the rule says.
    func policy(_ settings: GatewaySettings) -> CachePolicy {
        var policy = CachePolicy.gateway(settings)
        if let ttl { policy.rules.defaultLifetime = ttl }
        policy.rules.forcedLifetime = forceTTL
        if let errorTTL { policy.rules.errorLifetimeLimit = errorTTL }
        if let staleWhileRevalidate { policy.rules.staleWhileRevalidate = staleWhileRevalidate }
        if let staleIfError { policy.rules.staleIfError = staleIfError }
        policy.softTimeout = staleAfter
        if let clientDirectives { policy.clientDirectives = clientDirectives }
        if let tagFields { policy.rules.tagFields = tagFields }
        if let targetedFields { policy.rules.targetedFields = targetedFields }
        policy.rules.allowsSetCookie = allowSetCookie
        policy.keys.fields = vary
        policy.keys.ignoredParameters = ignoredParameters
        policy.bypassRule = bypassRule
        if cookies == .drop || cookies == .ignore { policy.withheldFields = [.cookie] }
        if let credentialFields { policy.rules.credentialFields = credentialFields }
        policy.credentialCookies = credentialCookies
        policy.tags = tags
        policy.invalidated = invalidates
        policy.invalidatesOnError = invalidateOnError
        if let bodyLimit { policy.bodyLimit = settings.storedBodyLimit(bodyLimit) }
        if let tagLimit { policy.tagLimit = tagLimit }
        if let wait { policy.patience = wait }
        return policy
    }

    private var bypassRule: BypassRule? {
        guard cookies == .bypass else { return bypass }
        var rule = bypass ?? BypassRule()
        rule.fields.append(.cookie)
        return rule
    }
}
