public import HTTPCaching
public import HTTPTypes

/// How the responses of a route are cached: a value that modifiers copy.
///
/// ```swift
/// .fresh(for: .seconds(90)).stale(whileRevalidating: .seconds(300)).tagged("posts")
/// ```
public struct CachePolicy: Sendable {
    /// Who may have a response past the cache by asking for it.
    public enum Bypass: Sendable {
        /// Nobody: the parameter is the handler's own.
        case nobody
        /// Everybody who sends `parameter=true`.
        case everybody(parameter: String)
        /// Who sends `parameter=true` and this bearer token.
        case bearer(BearerToken, parameter: String)
    }

    /// What a request with a `Cookie` or with `Authorization` gets.
    public enum Credentials: Sendable {
        /// The handler's answer, past the cache: it may be for this user alone.
        case bypass
        /// What everybody gets: the route answers the same whoever asks.
        case ignored
        /// `Authorization` by RFC 9111 §3.5, `Cookie` by nothing: a gateway's rules.
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

    /// Which responses are stored, and for how long.
    public var rules: CachingRules
    /// How keys are made.
    public var keys: KeyRule
    /// Who may pass the cache by.
    public var bypass: Bypass
    /// Which requests go past the cache, whoever sends them; nil: none.
    public var passing: PassRule?
    /// What requests with credentials get, where no user is part of the key.
    public var credentials: Credentials
    /// The request fields that answers must not depend on: what is fetched for everybody is asked without them. A
    /// request that goes past the cache keeps them.
    public var withheldFields: [HTTPField.Name]
    /// The tags of every response.
    public var tags: [CacheTag]
    /// What a successful write to the route invalidates besides its own path.
    public var invalidated: [Cover]
    /// The largest body kept, in bytes.
    public var bodyLimit: ByteCount
    /// How long a body may take to come in and still be kept.
    public var captureTime: Duration
    /// How long a request waits for the answer that another one fetches, before it asks for its own.
    public var patience: Duration
    /// Whether a response that came without `ETag` is given one made from its body.
    public var makesEntityTags: Bool
    /// Who answers what the store cannot.
    public var asking: Asking

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
        policy.setBypass(.nobody)
        policy.credentials = .byResponse
        policy.makesEntityTags = false
        policy.asking = .server
        return policy
    }

    /// A policy by explicit rules, with every other choice as for a decorated route.
    public init(rules: CachingRules) {
        self.rules = rules
        self.keys = KeyRule()
        self.bypass = .nobody
        self.passing = nil
        self.credentials = .bypass
        self.withheldFields = []
        self.tags = []
        self.invalidated = []
        self.bodyLimit = .mebibytes(1)
        self.captureTime = .seconds(30)
        self.patience = .seconds(5)
        self.makesEntityTags = true
        self.asking = .handler
        setBypass(.everybody(parameter: "nocache"))
    }

    private mutating func setBypass(_ bypass: Bypass) {
        self.bypass = bypass
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
    public func stale(ifError duration: Duration) -> CachePolicy {
        with { $0.rules.staleIfError = duration }
    }

    /// Gives tags to every response of the route.
    public func tagged(_ tags: CacheTag...) -> CachePolicy {
        with { $0.tags += tags }
    }

    /// Lets a successful write to the route invalidate more than its own path: the list that shows the item, say.
    public func invalidating(_ covers: Cover...) -> CachePolicy {
        with { $0.invalidated += covers }
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

    /// Says that the answers do not depend on `Cookie` and `Authorization`: everybody gets the same one.
    public func ignoringCredentials() -> CachePolicy {
        with {
            $0.credentials = .ignored
            $0.rules.allowsAuthorization = true
        }
    }

    /// Says who may pass the cache by, and with which query parameter; `nocache` and everybody by default.
    public func bypassable(by bypass: Bypass) -> CachePolicy {
        with { $0.setBypass(bypass) }
    }

    /// Lets the requests of a rule pass the cache by.
    public func passing(_ rule: PassRule) -> CachePolicy {
        with { $0.passing = rule }
    }

    /// Keeps bodies up to this size; larger ones pass through. The store has a limit of its own (`entryLimit`).
    public func limitingBodies(to limit: ByteCount) -> CachePolicy {
        with { $0.bodyLimit = limit }
    }

    /// Lets a response with a status of 5xx be fresh for this long at most, whatever it says of itself; 10 seconds by
    /// default, and zero stores none. It counts where the policy stores such statuses at all.
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

extension CachePolicy.Bypass {
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
