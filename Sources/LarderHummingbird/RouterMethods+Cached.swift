import HTTPTypes
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
    /// GET and HEAD are answered from the cache; a successful request with another method invalidates its own path,
    /// with all queries. Middleware added before stands in front of the cache and runs on every request, so put
    /// authentication there; middleware added after runs only when the handler does.
    public func cached(by cache: Cache, for lifetime: Duration) -> RouterGroup<Context> {
        cached(by: cache, .fresh(for: lifetime))
    }

    /// Caches the responses of the routes that follow, under a policy.
    /// - Parameter user: who a request is from, as the middleware before has found out; the answers of two users are
    ///   kept apart, by the key's part `#user=…`. Where it says nil and the request has credentials, the request passes
    ///   the cache by. Without this parameter every request with a `Cookie` or `Authorization` does.
    public func cached(
        by cache: Cache,
        _ policy: CachePolicy,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) -> RouterGroup<Context> {
        CachedRoutes(parent: self, cache: cache, policy: policy, user: user).group()
    }
}

/// Hands every route to its parent with a cache in front of the handler.
private struct CachedRoutes<Parent: RouterMethods>: RouterMethods {
    typealias Context = Parent.Context

    let parent: Parent
    let cache: Cache
    let policy: CachePolicy
    let user: (@Sendable (Request, Context) -> String?)?

    func on<Responder: HTTPResponder>(
        _ path: RouterPath,
        method: HTTPRequest.Method,
        responder: Responder
    ) -> Self where Responder.Context == Context {
        // Of two decorators around one route, the inner one knows it better.
        if responder is CachingResponder<Context> {
            parent.on(path, method: method, responder: responder)
        } else {
            let caching = CachingResponder(caching: responder, by: cache, under: policy, perUser: user)
            parent.on(path, method: method, responder: caching)
        }
        return self
    }

    func add(middleware: any MiddlewareProtocol<Request, Response, Context>) -> Self {
        preconditionFailure("Middleware goes to the group that `cached` returned")
    }
}
