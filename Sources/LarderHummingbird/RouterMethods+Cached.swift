public import Hummingbird
public import Larder

extension RouterMethods {
    /// Returns a group that caches the responses of its routes for a time.
    ///
    /// ```swift
    /// router.group("api/users/:id")
    ///     .cached(by: cache, for: .seconds(120))
    ///     .get(use: users.show)
    ///     .put(use: users.update)
    /// ```
    /// GET requests are answered from the cache, and so are HEAD requests if the router generates their endpoints
    /// (`autoGenerateHeadEndpoints`). A request with an unsafe method invalidates its path, with all queries, unless
    /// the response is a 4xx. Middleware runs on every request, whether it is added before or after this call: see
    /// ``CachedRouterGroup``.
    /// - Parameters:
    ///   - cache: The cache of the responses.
    ///   - lifetime: The time for which a response is fresh; zero or less stores nothing.
    ///   - user: A function that returns the ID of the user that a request is from, if responses differ by user.
    public func cached(
        by cache: ResponseCache,
        for lifetime: Duration,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) -> CachedRouterGroup<Context> {
        cached(by: cache, .fresh(for: lifetime), perUser: user)
    }

    /// Returns a group that caches the responses of its routes under a policy.
    /// - Parameters:
    ///   - cache: The cache of the responses.
    ///   - policy: The policy by which responses are cached.
    ///   - user: A function that returns the ID of the user that a request is from, as the middleware of this group and
    ///     its subgroups has found out. Responses are stored separately for each user, by the key's part `#user=…`.
    ///     Requests with credentials bypass the cache if the function returns nil, and also if the parameter is left
    ///     out. Credentials are `Cookie`, `Authorization`, `Proxy-Authorization`, `X-API-Key`, or what
    ///     ``/Larder/CachePolicy/credentials(fields:cookies:)`` names.
    public func cached(
        by cache: ResponseCache,
        _ policy: CachePolicy,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) -> CachedRouterGroup<Context> {
        var readers = ContextReaders<Context>()
        readers.user = user
        let route = RouteCache(cache: cache, policy: policy, readers: readers)
        return CachedRouterGroup("", route) { _ = self.on($0, method: $1, responder: $2) }
    }
}
