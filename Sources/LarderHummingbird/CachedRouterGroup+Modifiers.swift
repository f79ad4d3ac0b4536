import HTTPCaching
public import Hummingbird
public import Larder
import NIOConcurrencyHelpers

/// Functions with which a group takes values from requests and their context. As middleware does, a modifier applies to
/// the routes that are added to the group that it returns, and its function sees the request and the context as the
/// middleware passes them on.
extension CachedRouterGroup {
    /// Returns a group that stores separate responses for different values of a part of the key.
    ///
    /// ```swift
    /// .varying(by: "language") { request, _ in request.preferredLanguage(among: "en", "de") }
    /// .varying(by: "tenant") { _, context in context.tenant }
    /// ```
    /// The part follows `#` in the key, as `#user=` does: `GET:/api/posts#language=de&tenant=acme`. No request can
    /// spell it.
    /// - Parameters:
    ///   - name: The name of the part: ASCII letters, digits, `-`, `.`, `_` and `~`, and none of `user`,
    ///     `content` and `sha256`. Any other name stops the program.
    ///   - part: The function that returns the value for a request; nil leaves the part out.
    public func varying(
        by name: String,
        _ part: @escaping @Sendable (Request, Context) -> String?
    ) -> CachedRouterGroup<Context> {
        require(KeyPart.isName(name), KeyPart.sentence(about: name))
        require(!cache.readers.parts.contains { $0.name == name }, "The key has two parts called \"\(name)\"")
        return with { $0.parts.append((name, part)) }
    }

    /// Returns a group whose responses have tags that are taken from the request: `"team-\(context.team.id)"`.
    ///
    /// Requests with the same key must have the same tags: a stored response has those of the request that it was
    /// fetched for.
    public func tagged(
        _ tags: @escaping @Sendable (Request, Context) -> [CacheTag]
    ) -> CachedRouterGroup<Context> {
        with { $0.tags.append(tags) }
    }

    /// Returns a group whose writes invalidate further scopes, besides their own path and those of the policy.
    ///
    /// ```swift
    /// .invalidating { _, context in [.tag("team-\(context.team.id)")] }
    /// ```
    public func invalidating(
        _ scopes: @escaping @Sendable (Request, Context) -> [InvalidationScope]
    ) -> CachedRouterGroup<Context> {
        with { $0.invalidated.append(scopes) }
    }

    /// Returns a group whose writes invalidate the paths of related resources, besides their own path: every response
    /// for them, whatever its query, user or status.
    ///
    /// ```swift
    /// // A write to a comment invalidates its post and the list of posts.
    /// router.group("api/posts/:post/comments")
    ///     .cached(by: cache, for: .seconds(60))
    ///     .invalidating(paths: "/api/posts/:post", "/api/posts")
    /// ```
    /// - Parameter templates: The paths, with the parameters of the route that is written to. If that route does not
    ///   have a parameter, an error is logged once, and all paths that begin with the segments before it are
    ///   invalidated.
    public func invalidating(paths templates: PathTemplate...) -> CachedRouterGroup<Context> {
        let cache = cache.cache
        let reported = NIOLockedValueBox<Set<PathTemplate>>([])
        return invalidating { request, context in
            templates.flatMap { template in
                let (scopes, missing) = template.scopes(with: context.parameters)
                if let missing, reported.withLockedValue({ $0.insert(template).inserted }) {
                    let sentence = "A write to \(request.uri.path) invalidates more than \(template)"
                    cache.report(misuse: sentence + ": expected its route to have the parameter \(missing)")
                }
                return scopes
            }
        }
    }

    /// Returns a group in which some requests bypass the cache, as their context says.
    ///
    /// ```swift
    /// .bypassing { _, context in context.identity?.isEditor == true }
    /// ```
    public func bypassing(
        if bypasses: @escaping @Sendable (Request, Context) -> Bool
    ) -> CachedRouterGroup<Context> {
        with { $0.bypass.append(bypasses) }
    }

    /// Returns a group whose hits are answered before all middleware, where the server reads requests.
    ///
    /// ```swift
    /// router.group("api/news").cached(by: cache, for: .seconds(60)).beforeMiddleware().get(use: posts.list)
    /// let application = Application(router: router, server: .cachingHTTP1(by: cache))
    /// ```
    /// **The middleware does not see these requests**: they are not authenticated, limited or logged, and get none of
    /// the fields that middleware adds. So it is for responses that any client may have. A request with credentials is
    /// never answered in this way, unless the policy ignores them, and neither is the first request for a target.
    ///
    /// The server looks the target up as the client sent it. So nothing in front of the cache may change the target of
    /// a request, or the fields that a policy or `Vary` names. Applications that share a cache share these targets.
    ///
    /// It has no effect with another server than
    /// ``HummingbirdCore/HTTPServerBuilder/cachingHTTP1(by:serverName:configuration:)``. A group with `perUser`,
    /// `varying(by:)` or `bypassing(if:)`, which need middleware, stops the program.
    public func beforeMiddleware() -> CachedRouterGroup<Context> {
        require(
            !cache.readers.decideHits,
            "Hits cannot be answered before middleware in a group with `perUser`, `varying(by:)` or `bypassing(if:)`"
        )
        require(!cache.mayRefuse, Self.sentenceAboutContexts)
        var changed = cache
        changed.isBeforeMiddleware = true
        return CachedRouterGroup("", changed) { _ = on($0, method: $1, responder: $2) }
    }

    /// Returns a group inside this one with another cache or policy.
    ///
    /// The new group keeps responses apart as this one does, and they are invalidated by the same: it has the
    /// functions that read requests and their context, and of the policy the request fields that are part of the key,
    /// the credentials, the tags, the invalidated scopes, and the requests that bypass the cache.
    /// - Parameters:
    ///   - cache: The cache of the new group's responses.
    ///   - policy: The policy by which they are cached.
    ///   - user: The function that returns the ID of the user, instead of that of this group.
    public func cached(
        by cache: ResponseCache,
        _ policy: CachePolicy,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) -> CachedRouterGroup<Context> {
        var readers = self.cache.readers
        if let user { readers.user = user }
        let route = RouteCache(cache: cache, policy: policy, readers: readers, lineage: self.cache.lineage)
        return CachedRouterGroup("", route) { _ = on($0, method: $1, responder: $2) }
    }

    /// Returns a group inside this one that caches responses for another time, and otherwise under the same policy.
    /// - Parameters:
    ///   - cache: The cache of the new group's responses.
    ///   - lifetime: The time for which a response is fresh; zero or less stores nothing.
    ///   - user: The function that returns the ID of the user, instead of that of this group.
    public func cached(
        by cache: ResponseCache,
        for lifetime: Duration,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) -> CachedRouterGroup<Context> {
        var policy = self.cache.policy
        policy.rules.defaultLifetime = max(lifetime, .zero)
        return cached(by: cache, policy, perUser: user)
    }

    private func with(_ change: (inout ContextReaders<Context>) -> Void) -> CachedRouterGroup<Context> {
        var changed = cache
        change(&changed.readers)
        require(
            !changed.isBeforeMiddleware || !changed.readers.decideHits,
            "A group whose hits are answered before middleware cannot have `varying(by:)` or `bypassing(if:)`"
        )
        return CachedRouterGroup("", changed) { _ = on($0, method: $1, responder: $2) }
    }

    static var sentenceAboutContexts: String {
        "Hits cannot be answered before middleware if the context of a group may throw: it would not be made for a hit"
    }

    func require(_ isMet: Bool, _ sentence: @autoclosure () -> String) {
        guard !isMet else { return }
        cache.cache.report(misuse: sentence())
        preconditionFailure(sentence())
    }
}
