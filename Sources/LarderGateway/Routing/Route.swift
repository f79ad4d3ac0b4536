public import Larder

/// What becomes of the requests of one route: where they go, and how their responses are cached.
///
/// A reference, so that finding a route copies nothing.
public final class Route: Sendable {
    /// The route as the file writes it, for logs: `/api/posts/**`, `*.example.org/img/*`; `default` for what no route
    /// of the file takes.
    public let name: String
    /// The server that the requests go to.
    public let origin: OriginAddress
    /// The name of that server in the file; nil where it has none.
    public let originName: String?
    /// How responses are cached. Where nothing is, it still says what a write invalidates.
    public let policy: CachePolicy
    /// Whether anything is cached here at all.
    public let isCached: Bool

    /// A route. Where `isCached` is false, its policy lets every request pass.
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
        self.policy = isCached ? policy : policy.bypassing(.everything)
        self.isCached = isCached
    }

    /// The same with nothing cached.
    var uncached: Route {
        isCached
            ? Route(name: name, origin: origin, originName: originName, policy: policy, isCached: false) : self
    }
}

extension CachePolicy {
    /// What holds for a request that no route of the file takes.
    static func gateway(_ settings: GatewaySettings) -> CachePolicy {
        CachePolicy.gateway.limitingBodies(to: settings.storedBodyLimit(settings.bodyLimit))
    }
}
