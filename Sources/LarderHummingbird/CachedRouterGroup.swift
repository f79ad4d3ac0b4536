import HTTPTypes
public import Hummingbird
import Larder

/// A group of routes whose handlers' responses are cached.
///
/// The cache stands directly in front of each handler. All middleware stands in front of the cache: that of the router
/// and of the outer groups, that of this group and that of its subgroups, whether it is added before or after
/// ``Hummingbird/RouterMethods/cached(by:_:perUser:)``. So authentication, CORS and logging run on every request, hits
/// included, and a hit saves only the handler's work.
/// ```
///                                every request                         │  on a miss
///   request ─▶ router ─▶ group ─▶ cached group ─▶ subgroup ─▶ [ cache ] ─▶ handler
///              .add()    .add()   .add()          .add()         │
///  response ◀────────────────────────────────────────────────── hit
/// ```
/// The cache receives a request as the middleware changed it: the key is made from the path, and `perUser` is called
/// with the context, that the last middleware passes on. A response is stored as the handler returns it, before any
/// middleware changes it: compression and fields that middleware adds apply to each request separately. A refresh in
/// the background calls the handler without the middleware. As in every group of Hummingbird, a middleware applies to
/// the routes that are added after it.
///
/// **Controllers.** A function that adds routes to a group can take a `CachedRouterGroup`, or any group as
/// `some RouterMethods<Context>`. The latter must not add middleware to the subgroups it makes, which are Hummingbird's
/// own: the cache cannot be put behind it there. If a route arrives with such middleware, in a `RouteCollection` or
/// from a `RouterGroup`, the program stops while its routes are built. Call `cached` where the middleware is added, or
/// use ``cachingMiddleware()``, which makes a `RouterGroup` of this group.
public struct CachedRouterGroup<Context: RequestContext>: RouterMethods {
    private let path: RouterPath
    let cache: RouteCache<Context>
    private let middleware = MiddlewareStack<Context>()
    /// A function that adds a route to the outer group.
    private let addToParent: (RouterPath, HTTPRequest.Method, any HTTPResponder<Context>) -> Void

    init(
        _ path: RouterPath,
        _ cache: RouteCache<Context>,
        addToParent: @escaping (RouterPath, HTTPRequest.Method, any HTTPResponder<Context>) -> Void
    ) {
        self.path = path
        self.cache = cache
        self.addToParent = addToParent
    }

    /// Adds a route.
    ///
    /// The responses of a handler for GET are cached. They also answer HEAD requests if the router generates HEAD
    /// endpoints (`autoGenerateHeadEndpoints`). A handler for HEAD is called for every request. A request to a handler
    /// for an unsafe method invalidates its path, unless the response is a 4xx.
    /// - Parameters:
    ///   - path: The path of the route inside this group.
    ///   - method: The method of the requests that the route answers.
    ///   - responder: The handler, as a `CallbackResponder`, which `get`, `put` and so on make from a closure. Any
    ///     other responder may contain middleware that has to run on hits, and stops the program.
    @discardableResult
    public func on<Responder: HTTPResponder>(
        _ path: RouterPath,
        method: HTTPRequest.Method,
        responder: Responder
    ) -> Self where Responder.Context == Context {
        switch responder {
        // If a route has two caches, the inner one is used.
        case let chain as any CachingChain:
            if chain.lineage !== cache.lineage, !cache.readers.areKnown(to: chain) { refuseInner(path, method) }
            add(responder.restricted(ifCachedBy: cache.policy), path, method)
        case is CallbackResponder<Context>: add(caching(responder, of: method), path, method)
        default: refuse(responder, path, method)
        }
        return self
    }

    /// Adds middleware that runs on every request to the routes that are added after it, hits included.
    @discardableResult
    public func add(middleware: any MiddlewareProtocol<Request, Response, Context>) -> Self {
        self.middleware.add(middleware)
        return self
    }

    /// Returns a cached group inside this one.
    /// - Parameter path: The path prefix of the group's routes; empty by default.
    public func group(_ path: RouterPath = "") -> CachedRouterGroup<Context> {
        CachedRouterGroup(path, cache) { on($0, method: $1, responder: $2) }
    }

    /// Returns a cached group inside this one, whose routes have a context made from this group's context.
    ///
    /// The new group uses the `perUser` of this group, which is called with the context of this group. To identify
    /// users by the new context, call ``cached(by:_:perUser:)`` on the new group.
    /// - Parameters:
    ///   - path: The path prefix of the group's routes; empty by default.
    ///   - context: The type of the new group's context.
    public func group<Target>(
        _ path: RouterPath = "",
        context: Target.Type
    ) -> CachedRouterGroup<Target> where Target.Source == Context {
        group(path, mayRefuse: false) { Target(source: $0) }
    }

    /// Returns a cached group inside this one, whose routes have a context made from this group's context.
    ///
    /// An error that the context's initializer throws is thrown for every request, hits included. `perUser` is called
    /// with the context of this group.
    /// - Parameters:
    ///   - path: The path prefix of the group's routes; empty by default.
    ///   - context: The type of the new group's context.
    public func group<Target: ChildRequestContext>(
        _ path: RouterPath = "",
        context: Target.Type
    ) -> CachedRouterGroup<Target> where Target.ParentContext == Context {
        require(!cache.isBeforeMiddleware, Self.sentenceAboutContexts)
        return group(path, mayRefuse: true) { try Target(context: $0) }
    }

    /// Returns a group in which the cache stands in front of the middleware too: a hit skips the middleware that is
    /// added to the new group and to its subgroups.
    ///
    /// **Use it only for middleware that is part of making the response**, such as rendering. Middleware behind the
    /// cache runs only for the request that fills the cache: authentication there lets every client in after the first
    /// user who was let in, and CORS fields are those of the first origin. The middleware of the outer groups, and the
    /// middleware that was added before this call, still runs on every request.
    public func cachingMiddleware() -> RouterGroup<Context> {
        RoutesWithMiddleware(group: self).group()
    }

    private func group<Target: RequestContext>(
        _ path: RouterPath,
        mayRefuse: Bool,
        making change: @escaping @Sendable (Context) throws -> Target
    ) -> CachedRouterGroup<Target> {
        let readers = cache.readers
        return CachedRouterGroup<Target>(path, cache.changingContext(to: Target.self, mayRefuse: mayRefuse)) {
            path,
            method,
            responder in
            on(path, method: method, responder: ContextChange(next: responder, readers: readers, change: change))
        }
    }

    fileprivate func caching(
        _ responder: any HTTPResponder<Context>,
        of method: HTTPRequest.Method
    ) -> CachingResponder<Context> {
        CachingResponder(caching: responder, of: method, cache)
    }

    private func add(_ chain: any HTTPResponder<Context>, _ path: RouterPath, _ method: HTTPRequest.Method) {
        addToParent(self.path.appendingPath(path), method, middleware.inFront(of: chain))
    }

    private func refuseInner(_ path: RouterPath, _ method: HTTPRequest.Method) {
        let sentence = """
            \(method.rawValue) \(self.path.appendingPath(path)) cannot be cached: `cached` was called on a group \
            inside this one that does not know its user, key parts, tags and scopes, so that responses could be mixed \
            up. \
            Take a CachedRouterGroup instead of `some RouterMethods`, and call `cached` on that.
            """
        cache.cache.report(misuse: sentence)
        preconditionFailure(sentence)
    }

    private func refuse(_ responder: any HTTPResponder<Context>, _ path: RouterPath, _ method: HTTPRequest.Method) {
        let sentence = """
            \(method.rawValue) \(self.path.appendingPath(path)) cannot be cached: its responder, a \
            \(type(of: responder)), may have middleware in it, which would not run on hits. Add the middleware to \
            the group that `cached` returned, or to a subgroup of it. If a controller or a RouteCollection adds \
            middleware, call `cached` there instead of around it. To run the middleware only on misses, \
            add the route to the group that `cachingMiddleware()` returns. If the responder is a handler \
            without middleware, wrap it in a CallbackResponder.
            """
        cache.cache.report(misuse: sentence)
        preconditionFailure(sentence)
    }
}

/// A group that puts its cache in front of every route that is added, middleware included.
private struct RoutesWithMiddleware<Context: RequestContext>: RouterMethods {
    let group: CachedRouterGroup<Context>

    func on<Responder: HTTPResponder>(
        _ path: RouterPath,
        method: HTTPRequest.Method,
        responder: Responder
    ) -> Self where Responder.Context == Context {
        let isCached = responder is any CachingChain
        let chain: any HTTPResponder<Context> = isCached ? responder : group.caching(responder, of: method)
        group.on(path, method: method, responder: chain)
        return self
    }

    func add(middleware: any MiddlewareProtocol<Request, Response, Context>) -> Self {
        preconditionFailure("Add the middleware to the group that `cachingMiddleware()` returned")
    }
}
