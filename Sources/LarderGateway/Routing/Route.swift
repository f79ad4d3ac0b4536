public import Larder

/// The handling of the requests of one route: where they go, and how their responses are cached.
///
/// A class, so that finding a route does not copy anything.
public final class Route: Sendable {
    /// The host and path of the route in the file, for logs: `/api/posts/**`, `*.example.org/img/*`; `default` for the
    /// default route.
    public let name: String
    /// The origin that the requests go to.
    public let origin: OriginAddress
    /// The name of the origin in the file; nil if it does not have one.
    public let originName: String?
    /// The cache policy. If nothing is cached, it still has the scopes that a write invalidates.
    public var policy: CachePolicy { sharedPolicy.policy }
    let sharedPolicy: SharedPolicy
    /// True if responses may be cached.
    public let isCached: Bool

    /// Creates a route. If `isCached` is false, all requests bypass the cache.
    public init(
        name: String,
        origin: OriginAddress,
        originName: String? = nil,
        policy: CachePolicy,
        isCached: Bool = true
    ) {
        self.name = name
        self.origin = origin
        self.originName = originName
        self.sharedPolicy = SharedPolicy(isCached ? policy : policy.bypassing(.everything))
        self.isCached = isCached
    }

    /// Sets the counts of the route, which the policy of uncached requests has, too.
    func setStatistics(_ statistics: RouteStatistics) { sharedPolicy.setRoute(statistics) }

    /// The route with a policy by which all requests bypass the cache.
    var uncached: Route {
        isCached
            ? Route(name: name, origin: origin, originName: originName, policy: policy, isCached: false) : self
    }
}

extension CachePolicy {
    /// Returns the policy for requests that no route of the file matches.
    static func gateway(_ settings: GatewaySettings) -> CachePolicy {
        CachePolicy.gateway.limitingBodies(to: settings.storedBodyLimit(settings.bodyLimit))
    }
}
