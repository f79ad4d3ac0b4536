import HTTPTypes
public import Hummingbird
public import Larder

extension RouterMethods {
    /// Adds the routes that invalidate many responses at once: `DELETE {path}/tags/{tag}`, `DELETE {path}/paths/{path}`
    /// (that path with all its queries), `DELETE {path}/prefixes/{path}` (with all below it) and
    /// `DELETE {path}/everything`.
    ///
    /// Tags and paths are percent-decoded once: `DELETE {path}/tags/new%20arrivals` names the tag `new arrivals`.
    ///
    /// They go across hosts, where the cache keeps hosts apart.
    /// - Parameters:
    ///   - access: who may use them; there is no default.
    ///   - path: what they all begin with.
    @discardableResult
    public func addBulkInvalidation(of cache: Cache, access: AdminAccess, at path: RouterPath) -> Self {
        let routes = AdminRoutes<Context>(cache: cache, access: access)
        on(path.appendingPath("tags/**"), method: .delete) { request, context in
            await routes.invalidate(request, context, expecting: CacheTag.expectation) { name in
                CacheTag(percentEncoded: name).map { [.tag($0)] }
            }
        }
        on(path.appendingPath("paths/**"), method: .delete) { request, context in
            await routes.invalidate(request, context, expecting: "a path") { Cover.paths("/" + $0) }
        }
        on(path.appendingPath("prefixes/**"), method: .delete) { request, context in
            await routes.invalidate(request, context, expecting: "a path") { Cover.prefixes("/" + $0) }
        }
        on(path.appendingPath("everything"), method: .delete) { request, context in
            await routes.invalidate(request, context, expecting: "nothing") { _ in [.everything] }
        }
        return self
    }
}

extension AdminRoutes {
    /// Invalidates what the end of the request's path names.
    fileprivate func invalidate(
        _ request: Request,
        _ context: Context,
        expecting expectation: String,
        _ covers: (String) -> [Cover]?
    ) async -> Response {
        await guarded(request, context) {
            let name = Self.rest(of: request, below: context.endpointPath)
            guard let covers = covers(name) else {
                return .message(.badRequest, "Nothing was invalidated: expected \(expectation) at the end of the path")
            }
            switch await cache.invalidate(covers) {
            case .acknowledged: return .message(.ok, "Invalidated")
            case .pending:
                return .message(.serviceUnavailable, "The cache cannot be reached; it will be invalidated when it can")
            }
        }
    }
}
