import HTTPCaching
import HTTPTypes
public import Hummingbird
public import Larder
import NIOCore

/// A responder with a cache in front of it.
public struct CachingResponder<Context: RequestContext>: HTTPResponder, CachingChain {
    private let cache: ResponseCache
    private var policy: SharedPolicy { didSet { userPolicy = Self.forUsers(policy) } }
    /// The policy for requests whose user is known.
    private var userPolicy: SharedPolicy
    private let readers: ContextReaders<Context>?
    private let responder: any HTTPResponder<Context>
    let lineage: CacheLineage?
    /// True if hits are answered before middleware runs.
    private let isBeforeMiddleware: Bool
    /// The method of the route that the responder handles, if it is neither GET nor HEAD; nil otherwise, and if it
    /// handles requests of any method.
    private let otherMethod: HTTPRequest.Method?

    /// Creates a responder that caches the responses of another responder.
    ///
    /// The responder may be a whole router, with its own handlers for HEAD: a HEAD request that cannot be answered from
    /// a stored response is passed on as HEAD.
    /// - Parameters:
    ///   - responder: The responder that answers if the cache cannot. It may be called in the background, with an empty
    ///     body and a copy of the context of the request that came first.
    ///   - cache: The cache of the responses.
    ///   - policy: The policy by which responses are cached.
    ///   - user: A function that returns the ID of the user that a request is from, if responses differ by user.
    public init(
        caching responder: any HTTPResponder<Context>,
        by cache: ResponseCache,
        under policy: CachePolicy,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) {
        var readers = ContextReaders<Context>()
        readers.user = user
        self.init(caching: responder, of: nil, RouteCache(cache: cache, policy: policy, readers: readers))
    }

    /// Creates a responder that caches the responses of a handler.
    /// - Parameter method: The method of the handler's route; nil for a responder to requests of any method.
    init(caching responder: any HTTPResponder<Context>, of method: HTTPRequest.Method?, _ route: RouteCache<Context>) {
        var policy = route.policy
        if method == nil { policy.forwardsHead = true }
        // A handler for HEAD may answer differently than the handler for GET, and its response has no body to store.
        if method == .head { policy.bypassRule = .everything(because: .head) }
        self.cache = route.cache
        self.readers = route.readers.isEmpty ? nil : route.readers
        self.responder = responder
        self.lineage = route.lineage
        self.isBeforeMiddleware = route.isBeforeMiddleware
        self.otherMethod = method == .get || method == .head ? nil : method
        policy.isPersonal = policy.isPersonal || route.readers.distinguishesClients
        self.policy = SharedPolicy(policy)
        self.userPolicy = Self.forUsers(self.policy)
    }

    /// Returns the policy for requests whose user is known. The key contains the user, so that a stored response is
    /// only reused for the same user, and credentials do not matter (RFC 9111 §3.5). This must not apply to a request
    /// with credentials and no user.
    private static func forUsers(_ shared: SharedPolicy) -> SharedPolicy {
        var policy = shared.policy
        policy.rules.allowsAuthorization = true
        return SharedPolicy(policy)
    }

    var readsUser: Bool { readers?.user != nil }

    func restricted(by outer: CachePolicy) -> Self {
        var copy = self
        copy.policy = SharedPolicy(policy.policy.restricted(by: outer))
        return copy
    }

    public func respond(to request: Request, context: Context) async throws -> Response {
        if policy.route == nil { setRoute(context.endpointPath) }
        guard let readers else { return try await respond(to: request, context, for: nil, under: policy) }
        let isWrite = Invalidation.isUnsafe(changedMethod(of: request) ?? request.method)
        let traits = readers.read(request, context, isWrite: isWrite)
        let user = traits.user.id
        return try await respond(
            to: request,
            context,
            for: user,
            under: traits.apply(to: user == nil ? policy : userPolicy)
        )
    }

    /// Sets the route that requests are counted under. Its path is not known before the router has found it once.
    private func setRoute(_ path: String?) {
        guard let path else { return }
        let route = cache.statistics.route(path)
        policy.setRoute(route)
        userPolicy.setRoute(route)
    }

    private func respond(
        to request: Request,
        _ context: Context,
        for user: String?,
        under shared: SharedPolicy
    ) async throws -> Response {
        func handler(_ request: Request, content: ByteBuffer = ByteBuffer()) -> Handler<Context> {
            Handler(
                responder: responder,
                request: request,
                context: context,
                statuses: shared.policy.rules.lifetimes,
                content: content
            )
        }
        let head = head(of: request)
        if isBeforeMiddleware, head.method == .get || head.method == .head { cache.earlyTargets.add(head, shared) }
        guard let limit = shared.policy.queryMethods[head.method] else {
            return try await cache.respond(to: head, for: user, under: shared, from: handler(request))
        }
        let (query, content) = try await Self.collectContent(of: request, upTo: limit)
        var queryPolicy = shared.policy
        queryPolicy.keys.content = content.map { KeyPolicy.digest(ofContent: $0, request.headers) }
        let origin = handler(query, content: content ?? ByteBuffer())
        let queryShared = SharedPolicy(queryPolicy, of: shared.route)
        return try await cache.respond(to: head, for: user, under: queryShared, from: origin)
    }

    /// Returns a request with its content in memory; nil for the content if it is too large, or does not say how large
    /// it is, and has not been read.
    private static func collectContent(
        of request: Request,
        upTo limit: ByteCount
    ) async throws -> (Request, ByteBuffer?) {
        guard !request.headers.contains(.transferEncoding),
            let declared = request.headers[.contentLength].flatMap({ Int($0) }), (0...limit.bytes).contains(declared)
        else { return (request, nil) }
        var request = request
        let content = try await request.collectBody(upTo: limit.bytes)
        return (request, content)
    }

    /// Returns the head of a request as the cache reads it.
    ///
    /// If middleware has changed the method, the method of the route is used: the response of a handler for POST that
    /// receives a GET must not be stored as that of the handler for GET, and the request invalidates.
    private func head(of request: Request) -> HTTPRequest {
        var head = request.routedHead
        if let method = changedMethod(of: request) { head.method = method }
        return head
    }

    /// Returns the method of the route if middleware has changed the method of a request; nil if it has not.
    private func changedMethod(of request: Request) -> HTTPRequest.Method? {
        guard let otherMethod, request.method == .get || request.method == .head else { return nil }
        return otherMethod
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
    /// The lifetimes of the statuses that are stored besides 200.
    let statuses: [Int: Duration]
    /// The content of a query; empty for a GET.
    let content: ByteBuffer

    func fetch(_ head: HTTPRequest) async throws -> Response {
        let request = Request(head: head, body: RequestBody(buffer: content))
        do {
            return try await responder.respond(to: request, context: context)
        } catch let error as any HTTPResponseError where statuses[error.status.code, default: .zero] > .zero {
            // The error is stored as the response that it would become without middleware.
            return try error.response(from: request, context: context)
        }
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
