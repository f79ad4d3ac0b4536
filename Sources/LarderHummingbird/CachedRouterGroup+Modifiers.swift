public import Hummingbird
public import Larder

/// Functions with which a group takes values from requests and their context. As middleware does, a modifier applies to
/// the routes that are added to the group that it returns, and its function sees the request and the context as the
/// middleware passes them on.
extension CachedRouterGroup {
    /// Returns a group that stores separate responses for different values of a part of the key.
    ///
    /// ```swift
    /// .varying(by: "language") { request, _ in preferredLanguage(of: request) }
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
    ///   have a parameter, an error is logged, and all paths that begin with the segments before it are invalidated.
    public func invalidating(paths templates: PathTemplate...) -> CachedRouterGroup<Context> {
        let cache = cache.cache
        return invalidating { request, context in
            templates.flatMap { template in
                let (scopes, missing) = template.scopes(with: context.parameters)
                if let missing {
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

    /// Returns a group inside this one with another cache or policy. What this group takes from requests and their
    /// context holds for the new group as well, so that it cannot get fewer key parts by mistake.
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

    /// Returns a group inside this one that caches responses for another time.
    /// - Parameters:
    ///   - cache: The cache of the new group's responses.
    ///   - lifetime: The time for which a response is fresh; zero or less stores nothing.
    ///   - user: The function that returns the ID of the user, instead of that of this group.
    public func cached(
        by cache: ResponseCache,
        for lifetime: Duration,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) -> CachedRouterGroup<Context> {
        cached(by: cache, .fresh(for: lifetime), perUser: user)
    }

    private func with(_ change: (inout ContextReaders<Context>) -> Void) -> CachedRouterGroup<Context> {
        var changed = cache
        change(&changed.readers)
        return CachedRouterGroup("", changed) { _ = on($0, method: $1, responder: $2) }
    }

    private func require(_ isMet: Bool, _ sentence: @autoclosure () -> String) {
        guard !isMet else { return }
        cache.cache.report(misuse: sentence())
        preconditionFailure(sentence())
    }
}
