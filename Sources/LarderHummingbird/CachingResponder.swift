import HTTPCaching
import HTTPTypes
public import Hummingbird
public import Larder
import NIOCore

/// A responder with a cache in front of it.
public struct CachingResponder<Context: RequestContext>: HTTPResponder {
    private let cache: Cache
    private let policy: CachePolicy
    /// The policy for requests whose user is known.
    private let userPolicy: CachePolicy
    private let user: (@Sendable (Request, Context) -> String?)?
    private let responder: any HTTPResponder<Context>

    /// A responder whose answers are cached.
    /// - Parameters:
    ///   - user: who a request is from, where answers differ by user.
    ///   - responder: what is asked where the cache has no answer. It may be asked in the background, with an empty
    ///     body and a copy of the context of the request that came first.
    public init(
        caching responder: any HTTPResponder<Context>,
        by cache: Cache,
        under policy: CachePolicy,
        perUser user: (@Sendable (Request, Context) -> String?)? = nil
    ) {
        self.cache = cache
        self.user = user
        self.responder = responder
        self.policy = policy
        var userPolicy = policy
        // The user is in the key: what is stored is reused for the same user only, whose credentials do not matter then
        // (RFC 9111 §3.5). It must not hold for a request with credentials and no user.
        userPolicy.rules.allowsAuthorization = true
        self.userPolicy = userPolicy
    }

    public func respond(to request: Request, context: Context) async throws -> Response {
        let user = user?(request, context)
        return try await cache.respond(
            to: request.routedHead,
            for: user,
            under: user == nil ? policy : userPolicy,
            from: Handler(responder: responder, request: request, context: context)
        )
    }
}

extension Request {
    /// The head with the path and query that the router reads as its target.
    ///
    /// A target may have a scheme and a host before them (RFC 9112 §3.2.2), or what Hummingbird takes for these; a
    /// write by such a target changes what its path names.
    fileprivate var routedHead: HTTPRequest {
        // Hummingbird looks for a scheme where the first character is no slash: `/` and a combining mark is none.
        guard let target = head.path, target.first != "/" else { return head }
        var routed = head
        routed.path = uri.path + (uri.query.map { "?\($0)" } ?? "")
        return routed
    }
}

/// A handler of this process as an origin.
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

extension Cache {
    /// Caches a whole application: `Application(responder: cache.responding(for: router.buildResponder()))`.
    ///
    /// The cache then stands outside all middleware, authentication included. So by default it stores only responses
    /// that say of themselves that they are for everybody: `Cache-Control: public`, or `s-maxage`.
    public func responding<Context: RequestContext>(
        for responder: some HTTPResponder<Context>,
        under policy: CachePolicy = .whatIsPublic
    ) -> CachingResponder<Context> {
        CachingResponder(caching: responder, by: self, under: policy)
    }
}
