import HTTPTypes
import Hummingbird
import HummingbirdCore
import Larder
import LarderHummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// What the gateway answers itself: whether it and its origins are well, what the cache counts, and what is to be
/// forgotten.
struct Administration: Sendable {
    /// The path below which these routes are, such as `/-/larder`.
    let prefix: String
    private let access: AdminAccess
    private let audit = AdminAudit()
    private let cache: ResponseCache
    private let responder: any HTTPResponder<AdminContext>

    /// Creates the routes.
    /// - Parameter isForHealthAlone: True if the others are on another address.
    init(
        of cache: ResponseCache,
        access: AdminAccess,
        at prefix: String,
        isForHealthAlone: Bool,
        routes: RouteTable,
        origins: @escaping @Sendable () async -> [OriginHealth],
        isReady: @escaping @Sendable () -> Bool
    ) {
        self.prefix = prefix
        self.access = access
        self.cache = cache
        let router = Router(context: AdminContext.self, options: .autoGenerateHeadEndpoints)
        let path = RouterPath(prefix)
        // Load balancers ask this, and it tells nothing.
        router.get(path.appendingPath("health")) { _, _ in Response.json(.ok, ["status": "ok"]) }
        // They ask this to learn whether new requests are wanted: not once the gateway is to stop.
        router.get(path.appendingPath("ready")) { _, _ in
            isReady()
                ? Response.json(.ok, ["status": "ready"])
                : .json(.serviceUnavailable, ["status": "draining"])
        }
        if !isForHealthAlone { Self.addRoutes(to: router, of: cache, access, audit, at: prefix, routes, origins) }
        self.responder = router.buildResponder()
    }

    private static func addRoutes(
        to router: Router<AdminContext>,
        of cache: ResponseCache,
        _ access: AdminAccess,
        _ audit: AdminAudit,
        at prefix: String,
        _ routes: RouteTable,
        _ origins: @escaping @Sendable () async -> [OriginHealth]
    ) {
        let path = RouterPath(prefix)
        router.addCacheAdministration(
            of: cache,
            access: access,
            invalidation: path.appendingPath("invalidate"),
            metrics: path.appendingPath("metrics/cache"),
            form: .url,
            audit: audit
        )
        router.addBulkInvalidation(of: cache, access: access, at: path, form: .url, audit: audit)
        router.on(path.appendingPath("urls/**"), method: .delete) { request, context in
            await audited(request, context, access, audit) {
                await purgeURL(below: prefix, request, from: cache, routes)
            }
        }
        router.get(path.appendingPath("health/origins")) { request, context in
            await audited(request, context, access, audit) {
                let origins = await origins()
                let status = origins.allSatisfy(\.isReachable) ? HTTPResponse.Status.ok : .serviceUnavailable
                return AdminAnswer(.json(status, ["origins": origins]))
            }
        }
    }

    /// The response to a request for a route that does not exist.
    static var noSuchRoute: Response { .message(.notFound, "There is no such route") }

    /// Whether a request is about the gateway, and goes to no origin.
    func isAbout(_ head: HTTPRequest) -> Bool {
        guard let path = head.path, path.hasPrefix(prefix) else { return false }
        let next = path.utf8.dropFirst(prefix.utf8.count).first
        return next == nil || next == UInt8(ascii: "/") || next == UInt8(ascii: "?")
    }

    func answer(_ request: Request, _ source: AdminContextSource) async -> Response {
        let context = AdminContext(source: source)
        do {
            let response = try await responder.respond(to: request, context: context)
            guard response.status == .notFound, response.body.contentLength == 0 else { return response }
            return Self.noSuchRoute
        } catch {
            return .message((error as? any HTTPResponseError)?.status ?? .internalServerError, "There is no such route")
        }
    }

    /// Removes the response to a GET for this URL, with its variants, whether it is stored by `http` or `https`.
    func purge(_ request: Request, under policy: CachePolicy, _ source: AdminContextSource) async -> Response {
        await Self.audited(request, AdminContext(source: source), access, audit) {
            await Self.purge(request.head, under: policy, from: cache)
        }
    }

    private static func purge(
        _ head: HTTPRequest,
        under policy: CachePolicy,
        from cache: ResponseCache
    ) async -> AdminAnswer {
        var (head, result) = (head, RemovalResult.nothing)
        head.authority = head.keyAuthority
        for scheme in ["http", "https"] {
            head.scheme = scheme
            result = result.adding(await cache.remove(head, under: policy))
        }
        return AdminAnswer(
            result,
            ok: "Purged",
            notFound: "This URL is not stored",
            pending: "The cache cannot be reached; the URL will be purged when it can"
        )
    }

    /// Purges the URL that stands behind `urls/` as it is, with its query: `…/urls/http://shop.example/a?b=c`.
    private static func purgeURL(
        below prefix: String,
        _ request: Request,
        from cache: ResponseCache,
        _ routes: RouteTable
    ) async -> AdminAnswer {
        let expectation = "Nothing was purged: expected a URL as \(prefix)/urls/http://shop.example/path"
        guard let target = request.head.path, target.hasPrefix(prefix + "/urls/"),
            case let url = target.dropFirst(prefix.utf8.count + "/urls/".utf8.count),
            let mark = url.firstRange(of: "://"),
            ["http", "https"].contains(url[..<mark.lowerBound].lowercased())
        else { return AdminAnswer(.message(.badRequest, expectation)) }
        let rest = url[mark.upperBound...]
        let authority = String(rest.prefix { $0 != "/" && $0 != "?" })
        var path = String(rest.dropFirst(authority.count))
        if !path.hasPrefix("/") { path = "/" + path }
        guard HTTP1RequestValidator.isHost(authority), !authority.isEmpty else {
            return AdminAnswer(.message(.badRequest, expectation))
        }
        let scheme = url[..<mark.lowerBound].lowercased()
        let head = HTTPRequest(method: .get, scheme: scheme, authority: authority, path: path)
        return await purge(head, under: routes.route(host: authority, path: path).policy, from: cache)
    }

    /// The answer to a request that may have it, with a line in the log about who asked for what.
    private static func audited(
        _ request: Request,
        _ context: AdminContext,
        _ access: AdminAccess,
        _ audit: AdminAudit,
        _ answer: () async -> AdminAnswer
    ) async -> Response {
        var answered: AdminAnswer
        do throws(AdminRefusal) {
            try access.check(request, peer: context.remoteAddress)
            answered = await answer()
        } catch {
            answered = AdminAnswer(.refusal(error))
        }
        audit.log(
            request,
            client: context.client,
            status: answered.response.status,
            removed: answered.removed,
            to: context.logger
        )
        return answered.response
    }
}

/// Whether an origin answers.
struct OriginHealth: Encodable, Sendable {
    /// The origin, such as `http://127.0.0.1:9000`.
    let origin: String
    /// Whether it answered at all, whatever it said but a 5xx.
    let isReachable: Bool
    /// The status it answered with, or what went wrong.
    let answer: String

    enum CodingKeys: String, CodingKey {
        case origin
        case isReachable = "reachable"
        case answer
    }
}

/// What the gateway knows of a request to its own routes.
struct AdminContextSource: RequestContextSource {
    init(_ connection: ClientConnection, _ sender: Sender, _ logger: Logger) {
        self.channel = connection.channel
        self.logger = logger
        // Loopback clients are those of the connection itself, and never those that a proxy names.
        self.remoteAddress = connection.isProxied ? nil : connection.address
        self.client = sender.client
    }

    let channel: any Channel
    let logger: Logger
    /// The other end of the connection.
    let remoteAddress: SocketAddress?
    /// The client's address.
    let client: String?
}

/// The context of the gateway's own routes: it knows who asks.
struct AdminContext: RequestContext, RemoteAddressRequestContext, AdminClientContext {
    typealias Source = AdminContextSource

    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?
    let client: String?

    init(source: AdminContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.remoteAddress = source.remoteAddress
        self.client = source.client
    }
}
