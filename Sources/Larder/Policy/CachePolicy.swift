public import HTTPCaching
public import HTTPTypes

/// How the responses of a route are cached: a value that modifiers copy.
///
/// ```swift
/// .fresh(for: .seconds(90)).stale(whileRevalidating: .seconds(300)).tagged("posts")
/// ```
public struct CachePolicy: Sendable {
    /// Who may have a response past the cache by asking for it.
    public enum ClientBypass: Sendable {
        /// Nobody: the parameter is the handler's own.
        case nobody
        /// Everybody who sends `parameter=true`.
        case everybody(parameter: String)
        /// Who sends `parameter=true` and this bearer token.
        case bearer(BearerToken, parameter: String)
    }

    /// What a request with credentials gets: with `Authorization`, another of the ``CachingRules/credentialFields``, or
    /// a cookie that is one of the ``credentialCookies``.
    public enum Credentials: Sendable {
        /// The handler's answer, past the cache: it may be for this user alone.
        case bypass
        /// What everybody gets: the route answers the same whoever asks, and is asked without credentials.
        case ignored
        /// Fields by RFC 9111 §3.5. A `Cookie` by nothing, unless the policy names cookies: a request with one of these
        /// goes past the cache. A gateway's rules.
        case byResponse
    }

    /// Who answers what the store cannot, and so how it is asked.
    public enum Asking: Hashable, Sendable {
        /// A handler of this process: always for the whole, by GET. Whether something has changed it would have to find
        /// out by making it, and what HEAD gets by making the body.
        case handler
        /// A server, by RFC 9111: whether what is kept is still good, by conditional requests (§4.3), and for the head
        /// alone where the client wants no more (§4.3.5). The fields of its connection go no further.
        case server
    }

    /// What becomes of a client's wish for a newer response than the stored one: `no-cache`, `max-age`, `min-fresh` and
    /// `Pragma` in a request. "This directive is advisory" (RFC 9111 §5.2.1): a client that repeats it can otherwise
    /// have the origin asked as often as it likes.
    public enum ClientDirectives: String, Hashable, Sendable, CaseIterable {
        /// Each such request is forwarded.
        case honor
        /// The request gets a response that was fetched after it arrived, in one fetch with all others like it.
        case coalesce
        /// They are ignored, and so are `max-stale` and `stale-if-error`. `only-if-cached` and `no-store` are honored.
        case ignore
    }

    /// Which responses are stored, and for how long.
    public var rules: CachingRules
    /// How keys are made.
    public var keys: KeyPolicy
    /// Who may pass the cache by.
    public var clientBypass: ClientBypass
    /// Which requests go past the cache, whoever sends them; nil: none.
    public var bypassRule: BypassRule?
    /// What becomes of a client's wish for a newer response.
    public var clientDirectives: ClientDirectives
    /// What requests with credentials get, where no user is part of the key.
    public var credentials: Credentials
    /// The cookies that are credentials. The others are withheld from what is fetched for everybody or for a user. With
    /// nil, the default, every cookie is a credential, and none is withheld for being none.
    public var credentialCookies: [NamePattern]?
    /// The request fields that answers must not depend on: what is fetched for everybody is asked without them. A
    /// request that goes past the cache keeps them.
    public var withheldFields: [HTTPField.Name]
    /// The tags of every response.
    public var tags: [CacheTag]
    /// What a write to the route invalidates besides its own path, whenever it invalidates that.
    public var invalidated: [InvalidationScope]
    /// True if a write that fails with a 5xx, or with an error that stands for no status, invalidates as one that
    /// succeeds: it may have changed something before it failed. True for a handler, false for a gateway. A 4xx never
    /// invalidates; a 502 or 504 always does, since it says nothing of what the origin did.
    public var invalidatesOnError: Bool
    /// The largest body kept, in bytes: one of exactly this length is. By default 1 MiB. The store's `entryLimit`,
    /// which counts the head as well, has to have room for it.
    public var bodyLimit: ByteCount
    /// The most tags that a response may name for itself, 1,000 by default. A response with more is not stored.
    public var tagLimit: Int
    /// How long a body may take to come in and still be kept.
    public var captureTime: Duration
    /// How long a request waits for the answer that another one fetches, before it asks for its own.
    public var patience: Duration
    /// How long a request waits for the origin while there is a stale response that could be served if it failed; nil:
    /// as long as it takes. Responses with `must-revalidate`, `no-cache`, `proxy-revalidate` or `s-maxage` are waited
    /// for in any case.
    public var softTimeout: Duration?
    /// Whether a response that came without `ETag` is given one made from its body.
    public var makesEntityTags: Bool
    /// Who answers what the store cannot.
    public var asking: Asking
    /// If a HEAD request that no stored response answers is passed on as it is, for a responder that may have a handler
    /// of its own for HEAD. Otherwise the cache fetches by GET what it answers HEAD with.
    package var forwardsHead = false

    /// A policy that keeps 200s for a time, where the response itself says nothing else.
    ///
    /// The time is never sent to clients, whose copies no invalidation can reach.
    /// - Parameter lifetime: how long a response is fresh; nothing is stored where it is zero or less.
    public static func fresh(for lifetime: Duration) -> CachePolicy {
        CachePolicy(rules: .decoratedRoute(ttl: lifetime))
    }

    /// A policy that keeps what says of itself that it may be kept: `public`, or `s-maxage`. For a whole application,
    /// where the cache stands outside of authentication.
    public static var whatIsPublic: CachePolicy {
        var rules = CachingRules.decoratedRoute(ttl: nil)
        rules.requiresExplicitPermission = true
        var policy = CachePolicy(rules: rules)
        policy.keys.trailingSlash = .kept
        return policy
    }

    /// The policy of a reverse proxy: RFC 9111 as a shared cache, in front of servers of any kind.
    ///
    /// What a target means is the server's to say: it is kept byte for byte in the key, after scheme and host, and no
    /// parameter of it is the cache's own.
    public static var gateway: CachePolicy {
        var policy = CachePolicy(rules: .gateway)
        policy.keys.spelling = .verbatim
        policy.setClientBypass(.nobody)
        policy.credentials = .byResponse
        policy.clientDirectives = .coalesce
        policy.invalidatesOnError = false
        policy.makesEntityTags = false
        policy.asking = .server
        return policy
    }

    /// A policy by explicit rules, with every other choice as for a decorated route.
    public init(rules: CachingRules) {
        self.rules = rules
        self.keys = KeyPolicy()
        self.clientBypass = .nobody
        self.bypassRule = nil
        self.credentials = .bypass
        self.clientDirectives = .ignore
        self.credentialCookies = nil
        self.withheldFields = []
        self.tags = []
        self.invalidated = []
        self.invalidatesOnError = true
        self.bodyLimit = .mebibytes(1)
        self.tagLimit = 1_000
        self.captureTime = .seconds(30)
        self.patience = .seconds(5)
        self.softTimeout = nil
        self.makesEntityTags = true
        self.asking = .handler
        setClientBypass(.everybody(parameter: "nocache"))
    }

    private mutating func setClientBypass(_ bypass: ClientBypass) {
        self.clientBypass = bypass
        self.keys.bypassParameter = bypass.parameter
    }
}

extension CachePolicy {
    /// Serves a response this long after it stopped being fresh, while a new one is fetched in the background.
    public func stale(whileRevalidating duration: Duration) -> CachePolicy {
        with { $0.rules.staleWhileRevalidate = duration }
    }

    /// Serves a response this long after it stopped being fresh, where the handler fails: with a 500, 502,
    /// 503 or 504 (RFC 5861 §4), returned or thrown, or with an error that stands for no status.
    /// - Parameters:
    ///   - duration: how long after it stopped being fresh.
    ///   - timeout: how long to wait for the handler before the stale response is served; the handler goes on, and its
    ///     response is stored. Nil: until it answers or fails.
    public func stale(ifError duration: Duration, after timeout: Duration? = nil) -> CachePolicy {
        with {
            $0.rules.staleIfError = duration
            $0.softTimeout = timeout
        }
    }

    /// Honors `Cache-Control` and `Pragma` in requests: a client that sends `no-cache` or `max-age=0`, as browsers do
    /// when they reload a page, has the handler called. By default a route ignores them, but for `only-if-cached` and
    /// `no-store`.
    public func honoringRequestDirectives() -> CachePolicy {
        with { $0.clientDirectives = .honor }
    }

    /// What the policy makes of a request's directives.
    func directives(of request: HTTPRequest) -> RequestDirectives {
        let sent = RequestDirectives(request.headerFields)
        guard clientDirectives == .ignore else { return sent }
        var honored = RequestDirectives.none
        honored.onlyIfCached = sent.onlyIfCached
        honored.noStore = sent.noStore
        return honored
    }

    /// Gives tags to every response of the route.
    public func tagged(_ tags: CacheTag...) -> CachePolicy {
        with { $0.tags += tags }
    }

    /// Lets a write to the route invalidate more than its own path: the list that shows the item, say.
    public func invalidating(_ scopes: InvalidationScope...) -> CachePolicy {
        with { $0.invalidated += scopes }
    }

    /// Says whether a write that fails with a 5xx, or with an error that stands for no status, invalidates as one that
    /// succeeds; see ``invalidatesOnError``.
    public func invalidating(onError isOn: Bool) -> CachePolicy {
        with { $0.invalidatesOnError = isOn }
    }

    /// Says that the route's path ends in a slash: keys read `GET:/api/posts/`.
    public func endingInSlash() -> CachePolicy {
        with { $0.keys.trailingSlash = .added }
    }

    /// Keeps responses apart by request fields, as part of the key.
    public func varying(by fields: HTTPField.Name...) -> CachePolicy {
        with { $0.keys.fields += fields }
    }

    /// Keeps the responses for different hosts apart, as part of the key: a key has no host of its own, so that a
    /// handler that answers by `Host` (tenants, absolute links) needs this.
    public func varyingByHost() -> CachePolicy {
        with { $0.keys.fields.append(.hostField) }
    }

    /// Declares that responses do not depend on credentials: everybody gets the same one.
    ///
    /// The handler is asked without `Cookie`, `Authorization`, `Proxy-Authorization`, `X-API-Key` and the fields that
    /// ``credentials(fields:cookies:)`` names, unless ``varying(by:)`` makes one of them a part of the key: a response
    /// that is stored for everybody must not repeat what one client sent. As `Cookie` is withheld, a `Vary: Cookie` of
    /// the handler matches all requests. A request that bypasses the cache keeps all fields.
    ///
    /// The cache cannot withhold what middleware has put into the context. A handler that reads the user's identity
    /// from there renders the response for the user who asked first: use `perUser` for such a route.
    public func ignoringCredentials() -> CachePolicy {
        with {
            $0.credentials = .ignored
            $0.rules.allowsAuthorization = true
        }
    }

    /// Names the fields and cookies that tell users apart: a request with one of them bypasses the cache, unless
    /// `perUser` says who the user is.
    ///
    /// ```swift
    /// .fresh(for: .seconds(60)).credentials(cookies: ["session", "__Host-id"])
    /// ```
    /// - Parameters:
    ///   - fields: Fields that are credentials besides `Authorization`, `Proxy-Authorization` and `X-API-Key`.
    ///   - cookies: The only cookies that are credentials; all are, if no call of this method names any. The case of
    ///     letters matters, and a prefix such as `__Host-` is part of the name. The other cookies (analytics, consent)
    ///     do not keep a request from the cache. So the handler does not see them when it makes a response that is
    ///     stored; it sees them in a request that bypasses the cache.
    public func credentials(fields: [HTTPField.Name] = [], cookies: [NamePattern]? = nil) -> CachePolicy {
        with {
            $0.rules.credentialFields += fields
            if let cookies { $0.credentialCookies = ($0.credentialCookies ?? []) + cookies }
        }
    }

    /// Says who may pass the cache by, and with which query parameter; `nocache` and everybody by default.
    public func bypassable(by bypass: ClientBypass) -> CachePolicy {
        with { $0.setClientBypass(bypass) }
    }

    /// Lets the requests of a rule pass the cache by.
    public func bypassing(_ rule: BypassRule) -> CachePolicy {
        with { $0.bypassRule = rule }
    }

    /// Keeps bodies up to this size; larger ones pass through. The store has a limit of its own (`entryLimit`).
    public func limitingBodies(to limit: ByteCount) -> CachePolicy {
        with { $0.bodyLimit = limit }
    }

    /// Stores responses that name up to this many tags for themselves; one with more is not stored.
    public func limitingTags(to limit: Int) -> CachePolicy {
        with { $0.tagLimit = limit }
    }

    /// Lets a response with a status of 5xx, or of 4xx but for 404, 405, 410, 414 and 451, be fresh for this long at
    /// most, whatever it says of itself; 10 seconds by default, and zero stores none. It counts where the policy stores
    /// such statuses at all.
    public func limitingErrors(to lifetime: Duration) -> CachePolicy {
        with { $0.rules.errorLifetimeLimit = lifetime }
    }

    /// Lets requests wait this long for the answer that another one fetches, before they ask for their own.
    public func waiting(atMost patience: Duration) -> CachePolicy {
        with { $0.patience = patience }
    }

    private func with(_ change: (inout CachePolicy) -> Void) -> CachePolicy {
        var copy = self
        change(&copy)
        return copy
    }
}

extension CachePolicy.ClientBypass {
    /// The query parameter that belongs to the cache; nil where none does.
    var parameter: String? {
        switch self {
        case .nobody: nil
        case .everybody(let parameter), .bearer(_, let parameter): parameter
        }
    }

    /// Whether this request may pass the cache by.
    func allows(_ fields: HTTPFields) -> Bool {
        switch self {
        case .nobody: false
        case .everybody: true
        case .bearer(let token, _): token.isSent(in: fields)
        }
    }
}
