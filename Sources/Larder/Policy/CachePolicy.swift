public import HTTPCaching
public import HTTPTypes

/// The rules by which the responses of a route are cached: a value that modifiers copy.
///
/// ```swift
/// .fresh(for: .seconds(90)).stale(whileRevalidating: .seconds(300)).tagged("posts")
/// ```
public struct CachePolicy: Sendable {
    /// The clients that may bypass the cache by asking for it.
    public enum ClientBypass: Sendable {
        /// No client may: the query parameter belongs to the handler.
        case noClients
        /// Any client may, if it sends `parameter=true`.
        case allClients(parameter: String)
        /// A client may, if it sends `parameter=true` and this bearer token.
        case bearer(BearerToken, parameter: String)
    }

    /// The treatment of requests with credentials: with `Authorization`, another of the
    /// ``/HTTPCaching/CachingRules/credentialFields``, or a cookie that is one of the ``credentialCookies``.
    public enum Credentials: Sendable {
        /// The request bypasses the cache: the handler's response may be for this user alone.
        case bypass
        /// The request gets the response that all clients get: the route's response does not depend on the user, and
        /// its origin is asked without credentials.
        case ignored
        /// RFC 9111 §3.5 decides about fields. A `Cookie` has no effect, unless the policy names cookies: a request
        /// with one of these bypasses the cache. A gateway uses this.
        case byResponse
    }

    /// The kind of origin that answers misses, which decides how it is asked.
    public enum OriginKind: Hashable, Sendable {
        /// A handler of this process. It is always asked for the whole response, by GET: it would have to render the
        /// response to find out if something has changed, and to render the body to answer HEAD.
        case handler
        /// A server, which is asked by RFC 9111: with conditional requests (§4.3) if a stored response can be
        /// validated, and by HEAD if the client wants the head alone (§4.3.5). The fields of the server's connection
        /// are not forwarded.
        case server
    }

    /// The treatment of requests for a response that is newer than the stored one: `no-cache`, `max-age`, `min-fresh`
    /// and `Pragma`. "This directive is advisory" (RFC 9111 §5.2.1): a client that repeats such a request could
    /// otherwise have the origin asked as often as it likes.
    public enum ClientDirectives: String, Hashable, Sendable, CaseIterable {
        /// Each such request is forwarded.
        case honor
        /// The request gets a response that was fetched after it arrived, in one fetch with all others like it.
        case coalesce
        /// The directives are ignored, and so are `max-stale` and `stale-if-error`. `only-if-cached` and `no-store` are
        /// honored.
        case ignore
    }

    /// The rules for storing: the responses that are stored, and for how long.
    public var rules: CachingRules
    /// The rules for making keys.
    public var keys: KeyPolicy
    /// The clients that may bypass the cache. Any client may for a route, with the query parameter `nocache`, and none
    /// for a gateway.
    public var clientBypass: ClientBypass
    /// The requests that bypass the cache, whichever client sends them; nil, the default, for none.
    public var bypassRule: BypassRule?
    /// The treatment of requests for a response that is newer than the stored one; `ignore` for a route,
    /// `coalesce` for a gateway.
    public var clientDirectives: ClientDirectives
    /// The treatment of requests with credentials if no user is part of the key; `bypass` for a route, `byResponse` for
    /// a gateway.
    public var credentials: Credentials
    /// The cookies that are credentials. The others are withheld from fetches whose response is stored for all clients
    /// or for a user. With nil, the default, every cookie is a credential, and none is withheld because it is not.
    public var credentialCookies: [NamePattern]?
    /// The request fields that responses must not depend on: a fetch for all clients is made without them. A request
    /// that bypasses the cache is sent with them.
    public var withheldFields: [HTTPField.Name]
    /// The tags of every response.
    public var tags: [CacheTag]
    /// True if responses can be invalidated by two of their tags together. False by default.
    public var pairsTags: Bool
    /// The scopes that a write to the route invalidates together with its own path.
    public var invalidated: [InvalidationScope]
    /// True if a write that fails with a 5xx, or with an error without a status, invalidates as one that succeeds: it
    /// may have changed something before it failed. True for a handler, false for a gateway. A 4xx never invalidates; a
    /// 502 or 504 always does, since it does not show if the origin has acted.
    public var invalidatesOnError: Bool
    /// The size of the largest body that is stored, in bytes; 1 MiB by default. The store's `entryLimit`, which counts
    /// the head as well, must have room for it.
    public var bodyLimit: ByteCount
    /// The largest number of tags that a response may name by itself, 1,000 by default. A response with more is not
    /// stored.
    public var tagLimit: Int
    /// The time within which a body must be complete to be stored, 30 seconds by default.
    public var captureTime: Duration
    /// The coalescing timeout, 5 seconds by default. If a fetch takes longer, one of the requests that wait for it
    /// starts another fetch, and so on after each further timeout. The first response answers all of them.
    public var coalescingTimeout: Duration
    /// The time for which a request waits for the origin if a stale response could be served in its place; nil, the
    /// default, for no limit. The origin is waited for in any case if the stored response has `must-revalidate`,
    /// `no-cache`, `proxy-revalidate` or `s-maxage`.
    public var softTimeout: Duration?
    /// True if a response without `ETag` gets one that is made from its body. True for a handler, false for a gateway.
    public var makesEntityTags: Bool
    /// The methods besides GET and HEAD whose requests only ask, and the size of the largest content that such a
    /// request may have to be answered from the cache. The default is none.
    public var queryMethods: [HTTPRequest.Method: ByteCount]
    /// The directive that `Cache-Control` gives clients; nil, the default, for the handler's own.
    package var clientCaching: ClientCaching?
    /// A function that returns false for responses that are not stored, for a reason that only the application knows;
    /// nil, the default, for none.
    public var storing: (@Sendable (HTTPRequest, HTTPResponse) -> Bool)?
    /// True if clients may get different responses for the same target, so that caches between the clients and this one
    /// must not store what `Cache-Control` allows clients to store.
    package var isPersonal = false
    /// The kind of origin that answers misses.
    public var originKind: OriginKind
    /// True if a HEAD request that no stored response answers is forwarded as it is, for a responder that may have its
    /// own handler for HEAD. Otherwise the cache fetches by GET the response that it answers HEAD with.
    package var forwardsHead = false

    /// Returns a policy that stores responses with status 200 for a time, unless the response itself names one.
    ///
    /// `Cache-Control` does not tell the time to clients, whose copies no invalidation can reach.
    /// - Parameter lifetime: The time for which a response is fresh; zero or less stores nothing.
    public static func fresh(for lifetime: Duration) -> CachePolicy {
        CachePolicy(rules: .decoratedRoute(ttl: lifetime))
    }

    /// The policy that stores responses that allow it by `public` or `s-maxage`. It suits a whole application, with the
    /// cache outside of its authentication.
    public static var whatIsPublic: CachePolicy {
        var rules = CachingRules.decoratedRoute(ttl: nil)
        rules.requiresExplicitPermission = true
        var policy = CachePolicy(rules: rules)
        policy.keys.trailingSlash = .unchanged
        return policy
    }

    /// The policy of a reverse proxy: RFC 9111 as a shared cache, in front of servers of any kind.
    ///
    /// The server alone defines what a target means: the key has the target byte for byte, after scheme and host, and
    /// none of its parameters belongs to the cache.
    public static var gateway: CachePolicy {
        var policy = CachePolicy(rules: .gateway)
        policy.keys.spelling = .verbatim
        policy.setClientBypass(.noClients)
        policy.credentials = .byResponse
        policy.clientDirectives = .coalesce
        policy.invalidatesOnError = false
        policy.makesEntityTags = false
        policy.originKind = .server
        return policy
    }

    /// Creates a policy with these rules. Everything else is as for a decorated route.
    public init(rules: CachingRules) {
        self.rules = rules
        self.keys = KeyPolicy()
        self.clientBypass = .noClients
        self.bypassRule = nil
        self.credentials = .bypass
        self.clientDirectives = .ignore
        self.credentialCookies = nil
        self.withheldFields = []
        self.tags = []
        self.pairsTags = false
        self.invalidated = []
        self.invalidatesOnError = true
        self.bodyLimit = .mebibytes(1)
        self.tagLimit = 1_000
        self.captureTime = .seconds(30)
        self.coalescingTimeout = .seconds(5)
        self.softTimeout = nil
        self.makesEntityTags = true
        self.queryMethods = [:]
        self.clientCaching = nil
        self.storing = nil
        self.originKind = .handler
        setClientBypass(.allClients(parameter: "nocache"))
    }

    mutating func setClientBypass(_ bypass: ClientBypass) {
        self.clientBypass = bypass
        self.keys.bypassParameter = bypass.parameter
    }
}

extension CachePolicy.ClientBypass {
    /// The query parameter that belongs to the cache; nil if none does.
    var parameter: String? {
        switch self {
        case .noClients: nil
        case .allClients(let parameter), .bearer(_, let parameter): parameter
        }
    }

    /// Returns true if a request with these fields may bypass the cache.
    func allows(_ fields: HTTPFields) -> Bool {
        switch self {
        case .noClients: false
        case .allClients: true
        case .bearer(let token, _): token.isSent(in: fields)
        }
    }
}
