public import Hummingbird
public import Larder

extension RouterMethods {
    /// Caches the responses of the routes that follow, for a time.
    ///
    /// ```swift
    /// router.group("api/users/:id")
    ///     .cached(by: cache, for: .seconds(120))
    ///     .get(use: users.show)
    ///     .put(use: users.update)
    /// ```
    /// GET requests are answered from the cache, and HEAD requests if the router generates their endpoints
    /// (`autoGenerateHeadEndpoints`); a request with an unsafe method invalidates its own path, with all queries,
    /// unless it is refused with a 4xx. Middleware runs on every request, whether it is added before or after: see
    /// ``CachedRouterGroup``.
    public func cached(by cache: ResponseCache, for lifetime: Duration) -> CachedRouterGroup<Context> {
        cached(by: cache, .fresh(for: lifetime))
    }

    /// Caches the responses of the routes that follow, under a policy.
    /// - Parameter user: who a request is from, as the middleware of this group and its subgroups has found out; the
    ///   answers of two users are kept apart, by the key's part `#user=…`. Where it says nil and the request has
    ///   credentials, the request passes the cache by. Without this parameter every request with credentials does: with
    ///   a `Cookie`, `Authorization`, `Proxy-Authorization`, `X-API-Key`, or what
    ///   `CachePolicy/credentials(fields:cookies:)` names.
    public func cached(
        by cache: ResponseCache,
        _ policy: CachePolicy,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) -> CachedRouterGroup<Context> {
        let route = RouteCache(cache: cache, policy: policy, user: user.map { .function($0) } ?? .none)
        return CachedRouterGroup("", route) { _ = self.on($0, method: $1, responder: $2) }
    }
}
