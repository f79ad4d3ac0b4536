public import Hummingbird
public import Larder

extension RouterMethods {
    /// Adds the dashboard of a cache, and the admin API that it shows: the page `{path}` for people with a browser, and
    /// the routes of ``addCacheAPI(of:access:at:warming:)`` below it.
    ///
    /// ```swift
    /// router.addCacheDashboard(of: cache, access: .token(token), at: "larder")
    /// ```
    /// The page answers every client, because it does not have any data. It asks for the token that the API needs,
    /// keeps it in the tab, and sends it with its requests.
    /// - Parameters:
    ///   - cache: The cache that the dashboard shows.
    ///   - access: The clients that may use the API; there is no default.
    ///   - path: The path of the page, with which all routes of the API begin.
    ///   - warming: The place of the responder that fills the cache; nil, the default, to leave that out.
    ///   - example: The path of a cached route, for the command that the page shows while there are no requests.
    @discardableResult
    public func addCacheDashboard(
        of cache: ResponseCache,
        access: AdminAccess,
        at path: RouterPath,
        warming: CacheWarming<Context>? = nil,
        example: String = "/"
    ) -> Self {
        addCacheAPI(of: cache, access: access, at: path, warming: warming)
        addDashboardPage(at: path, example: example)
        return self
    }

    /// Adds the page of the dashboard, for an admin API that is below the same path.
    package func addDashboardPage(at path: RouterPath, example: String = "/") {
        let page = DashboardPage(example: example)
        on(path, method: .get) { request, _ in page.response(to: request) }
        on(path, method: .head) { request, _ in page.response(to: request).createHeadResponse() }
    }
}
