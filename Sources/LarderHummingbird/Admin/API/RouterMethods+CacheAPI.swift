import HTTPCaching
import HTTPTypes
public import Hummingbird
public import Larder
import NIOConcurrencyHelpers
import NIOCore

extension RouterMethods {
    /// Adds the admin API of a cache, version 1, below a path: `{path}/v1/entries`, `{path}/v1/entry`,
    /// `{path}/v1/purge` and `{path}/v1/warm`, its document `{path}/openapi.json` (OpenAPI 3.1), and the same as a
    /// page, `{path}/docs`.
    ///
    /// ```swift
    /// let warming = CacheWarming<AppContext>()
    /// router.addCacheAPI(of: cache, access: .token(token), at: "larder", warming: warming)
    /// warming.send(to: router.buildResponder())    // after the last route
    /// ```
    /// The document and its page answer every client. They disclose nothing about what is stored.
    /// - Parameters:
    ///   - cache: The cache that the API administers.
    ///   - access: The clients that may use the API; there is no default.
    ///   - path: The path that all of these routes begin with.
    ///   - warming: The place of the responder that `v1/warm` sends requests to; nil, the default, to leave it out.
    @discardableResult
    public func addCacheAPI(
        of cache: ResponseCache,
        access: AdminAccess,
        at path: RouterPath,
        warming: CacheWarming<Context>? = nil
    ) -> Self {
        if case .loopback = access {
            precondition(
                Context.self is any RemoteAddressRequestContext.Type,
                "Loopback access needs the client's address: conform the context to RemoteAddressRequestContext"
            )
        }
        let policy = SharedPolicy(CachePolicy(rules: .decoratedRoute(ttl: nil)))
        let site = AdminSite<Context>(form: .path, policy: { _ in policy }, warm: warming?.respond)
        AdminAPI(of: cache, access: access, audit: AdminAudit(), site: site).addRoutes(to: self, at: path)
        return self
    }
}

/// The place of the responder that the admin API sends requests to which fill the cache: a router's own responder
/// exists only after its last route, and so after the API's routes.
public final class CacheWarming<Context: RequestContext>: Sendable {
    private let responder = NIOLockedValueBox<(any HTTPResponder<Context>)?>(nil)

    /// Creates a place without a responder.
    public init() {}

    /// Sets the responder that the requests are sent to.
    ///
    /// It gets a GET without credentials and without a body, with the context of the admin request: it must not be one
    /// that trusts what middleware before the admin routes has noted there, such as the user.
    /// - Parameter responder: The responder, such as `router.buildResponder()`.
    public func send(to responder: some HTTPResponder<Context>) {
        self.responder.withLockedValue { $0 = responder }
    }

    /// Answers a request of the admin API.
    @Sendable func respond(_ head: HTTPRequest, _ context: Context) async throws -> Response {
        guard let responder = responder.withLockedValue({ $0 }) else {
            throw HTTPError(.serviceUnavailable, message: "No responder is set: call send(to:) after the last route")
        }
        // Each request has a path in the router of its own. A context is copied, but not what its path refers to.
        var context = context
        context.coreContext.endpointPath = EndpointPath()
        return try await responder.respond(
            to: Request(head: head, body: RequestBody(buffer: ByteBuffer())),
            context: context
        )
    }
}
