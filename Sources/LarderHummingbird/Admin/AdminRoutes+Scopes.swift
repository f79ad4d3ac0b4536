import HTTPTypes
public import Hummingbird
public import Larder

extension RouterMethods {
    /// Adds the routes that invalidate many responses at once: `DELETE {path}/tags/{tag}`, `DELETE {path}/paths/{path}`
    /// (this path with all its queries), `DELETE {path}/prefixes/{path}` (with all paths below it) and
    /// `DELETE {path}/everything`.
    ///
    /// Tags and paths are percent-decoded once: `DELETE {path}/tags/new%20arrivals` names the tag `new arrivals`.
    ///
    /// If the cache keys responses by host, these routes still invalidate on all hosts.
    /// - Parameters:
    ///   - cache: The cache whose responses the routes invalidate.
    ///   - access: The clients that may use the routes; there is no default.
    ///   - path: The path that all of these routes begin with.
    @discardableResult
    public func addBulkInvalidation(of cache: ResponseCache, access: AdminAccess, at path: RouterPath) -> Self {
        addBulkInvalidation(of: cache, access: access, at: path, form: .path)
    }

    /// Adds the same routes for a cache whose keys have the given form. If keys have hosts, `paths//host/path` names
    /// the path on that host alone, and `prefixes//host` all paths of that host.
    @discardableResult
    package func addBulkInvalidation(
        of cache: ResponseCache,
        access: AdminAccess,
        at path: RouterPath,
        form: AdminKeyForm,
        audit: AdminAudit = AdminAudit()
    ) -> Self {
        let routes = AdminRoutes<Context>(cache: cache, access: access, form: form, audit: audit)
        on(path.appendingPath("tags/**"), method: .delete) { request, context in
            await routes.invalidate(request, context, expecting: CacheTag.expectation) { name in
                CacheTag(percentEncoded: name).map { [.tag($0)] }
            }
        }
        on(path.appendingPath("paths/**"), method: .delete) { request, context in
            await routes.invalidate(request, context, expecting: "a path") { name in
                form == .url && name.hasPrefix("/")
                    ? InvalidationScope.paths(ofHost: name.dropFirst()) : InvalidationScope.paths("/" + name)
            }
        }
        on(path.appendingPath("prefixes/**"), method: .delete) { request, context in
            await routes.invalidate(request, context, expecting: "a path, or //host for a whole host") {
                name in
                guard form == .url, name.hasPrefix("/") else { return InvalidationScope.prefixes("/" + name) }
                return InvalidationScope.host(name.dropFirst()).map { [$0] }
            }
        }
        on(path.appendingPath("everything"), method: .delete) { request, context in
            await routes.invalidate(request, context, expecting: "nothing") { _ in [.everything] }
        }
        return self
    }
}

extension AdminRoutes {
    /// Invalidates the scopes that the end of the request's path names.
    fileprivate func invalidate(
        _ request: Request,
        _ context: Context,
        expecting expectation: String,
        _ scopes: (String) -> [InvalidationScope]?
    ) async -> Response {
        await guarded(request, context) {
            let name = Self.rest(of: request, below: context.endpointPath)
            guard let scopes = scopes(name) else {
                let message = "Nothing was invalidated: expected \(expectation) at the end of the path"
                return AdminAnswer(.message(.badRequest, message))
            }
            switch await cache.invalidate(scopes) {
            case .acknowledged: return AdminAnswer(.message(.ok, "Invalidated"))
            case .pending:
                let message = "The cache cannot be reached; it will be invalidated when it is reachable again"
                return AdminAnswer(.message(.serviceUnavailable, message))
            }
        }
    }
}
