import HTTPCaching
import HTTPTypes
public import Hummingbird
public import Larder
import NIOCore

/// A responder with a cache in front of it.
public struct CachingResponder<Context: RequestContext>: HTTPResponder, CachingChain {
    private let cache: ResponseCache
    private let policy: CachePolicy
    /// The policy for requests whose user is known.
    private let userPolicy: CachePolicy
    /// The policy for requests whose user cannot be determined: they bypass the cache.
    private let unknownUserPolicy: CachePolicy
    private let user: UserSource<Context>
    private let responder: any HTTPResponder<Context>
    /// The method of the route that the responder handles; nil if it handles requests of any method.
    private let method: HTTPRequest.Method?

    /// Creates a responder that caches the responses of another responder.
    ///
    /// The responder may be a whole router, with its own handlers for HEAD: a HEAD request that cannot be answered from
    /// a stored response is passed on as HEAD.
    /// - Parameters:
    ///   - user: A function that returns the ID of the user that a request is from, if responses differ by user.
    ///   - responder: The responder that answers if the cache cannot. It may be called in the background, with an empty
    ///     body and a copy of the context of the request that came first.
    public init(
        caching responder: any HTTPResponder<Context>,
        by cache: ResponseCache,
        under policy: CachePolicy,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) {
        self.init(
            caching: responder,
            of: nil,
            RouteCache(cache: cache, policy: policy, user: user.map { .function($0) } ?? .none)
        )
    }

    /// Creates a responder that caches the responses of a handler.
    /// - Parameter method: The method of the handler's route; nil for a responder to requests of any method.
    init(caching responder: any HTTPResponder<Context>, of method: HTTPRequest.Method?, _ route: RouteCache<Context>) {
        var policy = route.policy
        if method == nil { policy.forwardsHead = true }
        // A handler for HEAD may answer differently than the handler for GET, and its response has no body to store.
        if method == .head { policy.bypassRule = .everything(because: .head) }
        self.cache = route.cache
        self.user = route.user
        self.responder = responder
        self.method = method
        self.policy = policy
        var userPolicy = policy
        // The key contains the user, so that a stored response is only reused for the same user, and credentials do not
        // matter (RFC 9111 §3.5). This must not apply to a request with credentials and no user.
        userPolicy.rules.allowsAuthorization = true
        self.userPolicy = userPolicy
        self.unknownUserPolicy = policy.bypassing(.everything)
    }

    public func respond(to request: Request, context: Context) async throws -> Response {
        let user = user.find(request, context)
        return try await cache.respond(
            to: head(of: request),
            for: user.id,
            under: policy(for: user),
            from: Handler(responder: responder, request: request, context: context)
        )
    }

    private func policy(for user: RequestUser) -> CachePolicy {
        switch user {
        case .id: userPolicy
        case .none: policy
        case .unknown: unknownUserPolicy
        }
    }

    /// Returns the head of a request as the cache reads it.
    ///
    /// If middleware has changed the method, the method of the route is used: the response of a handler for POST that
    /// receives a GET must not be stored as that of the handler for GET, and the request invalidates.
    private func head(of request: Request) -> HTTPRequest {
        var head = request.routedHead
        if let method, method != .get, method != .head, head.method == .get || head.method == .head {
            head.method = method
        }
        return head
    }
}

extension Request {
    /// The head, with the path and query that the router reads as its target.
    ///
    /// A target may have a scheme and a host before the path (RFC 9112 §3.2.2), or a prefix that Hummingbird reads as
    /// such. A write to such a target invalidates the path that the router read.
    fileprivate var routedHead: HTTPRequest {
        // Hummingbird looks for a scheme if the first character is not a slash. `/` with a combining mark is such a
        // character.
        guard let target = head.path, target.first != "/" else { return head }
        var routed = head
        routed.path = uri.path + (uri.query.map { "?\($0)" } ?? "")
        return routed
    }
}

/// The handler of a route as an origin.
private struct Handler<Context: RequestContext>: Origin {
    let responder: any HTTPResponder<Context>
    let request: Request
    let context: Context

    func fetch(_ head: HTTPRequest) async throws -> Response {
        try await responder.respond(to: Request(head: head, body: RequestBody(buffer: ByteBuffer())), context: context)
    }

    func forward() async throws -> Response {
        try await responder.respond(to: request, context: context)
    }

    func status(of error: any Error) -> HTTPResponse.Status? {
        (error as? any HTTPResponseError)?.status
    }
}

extension ResponseCache {
    /// Returns a responder that caches a whole application:
    /// ```swift
    /// let application = Application(responder: cache.responding(for: router.buildResponder()))
    /// ```
    ///
    /// The cache stands in front of all middleware, authentication included. So by default it stores only responses
    /// that are explicitly public: `Cache-Control: public`, or `s-maxage`. A HEAD request is answered from the stored
    /// response to GET. If there is none, the application answers it, by its own route for HEAD if it has one.
    public func responding<Context: RequestContext>(
        for responder: some HTTPResponder<Context>,
        under policy: CachePolicy = .whatIsPublic
    ) -> CachingResponder<Context> {
        CachingResponder(caching: responder, by: self, under: policy)
    }
}
