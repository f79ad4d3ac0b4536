import HTTPTypes
public import Hummingbird
public import Larder

extension RouterMethods {
    /// Adds the routes that invalidate many responses at once: `DELETE {path}/tags/{tag}`, `DELETE {path}/paths/{path}`
    /// (that path with all its queries), `DELETE {path}/prefixes/{path}` (with all below it) and
    /// `DELETE {path}/everything`.
    ///
    /// They go across hosts, where the cache keeps hosts apart.
    /// - Parameters:
    ///   - access: who may use them; there is no default.
    ///   - path: what they all begin with.
    @discardableResult
    public func addBulkInvalidation(of cache: Cache, access: AdminAccess, at path: RouterPath) -> Self {
        let routes = AdminRoutes<Context>(cache: cache, access: access)
        on(path.appendingPath("tags/**"), method: .delete) { request, context in
            await routes.invalidate(request, context) { CacheTag(percentEncoded: $0).map(Cover.tag) }
        }
        on(path.appendingPath("paths/**"), method: .delete) { request, context in
            await routes.invalidate(request, context) { CachePath("/" + $0).map(Cover.path) }
        }
        on(path.appendingPath("prefixes/**"), method: .delete) { request, context in
            await routes.invalidate(request, context) { CachePath("/" + $0).map(Cover.prefix) }
        }
        on(path.appendingPath("everything"), method: .delete) { request, context in
            await routes.invalidate(request, context) { _ in .everything }
        }
        return self
    }
}

extension AdminRoutes {
    /// Invalidates what the end of the request's path names.
    fileprivate func invalidate(
        _ request: Request,
        _ context: Context,
        _ cover: (String) -> Cover?
    ) async -> Response {
        await guarded(request, context) {
            let name = Self.rest(of: request, below: context.endpointPath)
            guard let cover = cover(name) else {
                return .message(.badRequest, "This names nothing that can be invalidated")
            }
            switch await cache.invalidate(cover) {
            case .acknowledged: return .message(.ok, "Invalidated")
            case .pending:
                return .message(.serviceUnavailable, "The cache cannot be reached; it will be invalidated when it can")
            }
        }
    }
}
