import HTTPCaching
import HTTPTypes
import Larder

/// A route as the configuration file describes it.
struct RouteRule: Hashable {
    /// The handling of requests with cookies.
    enum Cookies: String, CaseIterable {
        /// Requests get the response that all clients get, as in any gateway. Cookies are sent to the origin, which
        /// says `private` if its response depends on them (RFC 9111 §7.3).
        case forward
        /// Requests get the response that all clients get. Responses do not depend on cookies, so that cookies are not
        /// sent to the origin with requests for responses that may be stored.
        case ignore
        /// Requests bypass the cache.
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
        case coalescingTimeout = "coalescing-timeout"
        case tagFields = "tag-fields"
        case targetedFields = "targeted-fields"
        case allowSetCookie = "allow-set-cookie"
        case invalidateOnError = "invalidate-on-error"
    }

    /// The highest `tag-limit` that a file may give. It is limited because each tag is compared at every look-up in
    /// Redis.
    static let highestTagLimit = 10_000

    /// The location where the route begins.
    private(set) var location: SourceLocation
    /// The location of each key that is given.
    var locations: [Key: SourceLocation] = [:]
    var path: PathPattern?
    var host: HostPattern?
    var origin: String?
    var isCached = true
    var ttl: Duration?
    var forceTTL: Duration?
    var errorTTL: Duration?
    var staleWhileRevalidate: Duration?
    var staleIfError: Duration?
    /// The time that a request waits for the origin before a stale response is served, if one may be served on errors.
    var staleAfter: Duration?
    var clientDirectives: CachePolicy.ClientDirectives?
    var vary: [HTTPField.Name] = []
    var cookies = Cookies.forward
    /// The fields that are credentials in addition to `Authorization`; nil for those of a gateway.
    var credentialFields: [HTTPField.Name]?
    /// The cookies that are credentials; nil if `cookies` applies to all cookies.
    var credentialCookies: [NamePattern]?
    var bypass: BypassRule?
    var ignoredParameters: [NamePattern] = []
    var tags: [CacheTag] = []
    var invalidates: [InvalidationScope] = []
    var bodyLimit: ByteCount?
    var tagLimit: Int?
    var coalescingTimeout: Duration?
    var tagFields: [HTTPField.Name]?
    var targetedFields: [HTTPField.Name]?
    var allowSetCookie = false
    var invalidateOnError = false

    /// The name of the route in logs: host and path.
    var name: String { (host?.description ?? "") + (path?.description ?? "") }

    /// The rule without its location, host, path and origin. Routes with equal treatments handle their requests alike.
    var treatment: RouteRule {
        var rule = self
        (rule.location, rule.locations, rule.path, rule.host, rule.origin) = (.nowhere, [:], nil, nil, nil)
        return rule
    }

    /// Returns true if this route matches every request that `other` matches.
    func covers(_ other: RouteRule) -> Bool {
        guard let path, let otherPath = other.path, path.covers(otherPath) else { return false }
        guard let host else { return true }
        return other.host.map(host.covers) ?? false
    }
}

extension RouteRule {
    /// Returns the cache policy of the route: that of a gateway, with the changes of the rule.
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
        if let coalescingTimeout { policy.coalescingTimeout = coalescingTimeout }
        return policy
    }

    private var bypassRule: BypassRule? {
        guard cookies == .bypass else { return bypass }
        var rule = bypass ?? BypassRule()
        rule.fields.append(.cookie)
        return rule
    }
}
