import HTTPCaching
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Larder
import LarderHummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// The gateway's own routes: the health of the gateway and its origins, the metrics of the cache, and invalidations.
struct Administration: Sendable {
    /// The path prefix of these routes, such as `/-/larder`.
    let prefix: String
    private let access: AdminAccess
    private let audit = AdminAudit(source: "LarderGateway")
    private let cache: ResponseCache
    private let responder: any HTTPResponder<AdminContext>
    /// False if only health and readiness are answered here.
    private let hasAPI: Bool

    /// Creates the routes.
    /// - Parameter isForHealthAlone: True if only the routes for health and readiness are added, because the others
    ///   answer on another address.
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
        self.hasAPI = !isForHealthAlone
        let router = Router(context: AdminContext.self, options: .autoGenerateHeadEndpoints)
        let path = RouterPath(prefix)
        // Load balancers request this route without a token. It does not disclose anything.
        router.get(path.appendingPath("health")) { _, _ in Response.json(.ok, ["status": "ok"]) }
        // Load balancers request this route to learn whether the gateway accepts new requests. It does not once it is
        // to stop.
        router.get(path.appendingPath("ready")) { _, _ in
            isReady()
                ? Response.json(.ok, ["status": "ready"])
                : .json(.serviceUnavailable, ["status": "draining"])
        }
        if !isForHealthAlone {
            Self.addRoutes(to: router, of: cache, access, audit, at: prefix, routes, origins, isReady)
        }
        self.responder = router.buildResponder()
    }

    private static func addRoutes(
        to router: Router<AdminContext>,
        of cache: ResponseCache,
        _ access: AdminAccess,
        _ audit: AdminAudit,
        at prefix: String,
        _ routes: RouteTable,
        _ origins: @escaping @Sendable () async -> [OriginHealth],
        _ isReady: @escaping @Sendable () -> Bool
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
        router.addMetrics(of: cache, access: access, at: path.appendingPath("metrics"), audit: audit)
        router.addBulkInvalidation(of: cache, access: access, at: path, form: .url, audit: audit)
        let site = AdminSite<AdminContext>(
            form: .url,
            policy: { routes.route(host: $0.authority, path: $0.path ?? "/").sharedPolicy },
            warm: { try await $1.warm($0) },
            isStopping: { !isReady() }
        )
        AdminAPI(of: cache, access: access, audit: audit, site: site).addRoutes(to: router, at: path)
        router.addDashboardPage(at: path)
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

    /// Returns true if a request is for the gateway's own routes and does not go to an origin.
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
            logUnknown(request, context, .notFound)
            guard hasAPI, request.uri.path.hasPrefix(prefix + "/v1/") else { return Self.noSuchRoute }
            return APIProblem(.notFound, "There is no such route: see \(prefix)/docs").response
        } catch {
            let status = (error as? any HTTPResponseError)?.status ?? .internalServerError
            logUnknown(request, context, status)
            return .message(status, "There is no such route")
        }
    }

    private func logUnknown(_ request: Request, _ context: AdminContext, _ status: HTTPResponse.Status) {
        let client = context.client ?? "unknown"
        audit.log(request, client: client, status: status, isUnknown: true, to: context.logger)
    }

    /// Removes the stored response to a GET for this URL, with its variants, under both `http` and `https`.
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
            pending: "The cache cannot be reached; the URL will be purged when it is reachable again"
        )
    }

    /// Purges the URL that follows `urls/` unencoded, with its query: `…/urls/http://shop.example/a?b=c`.
    private static func purgeURL(
        below prefix: String,
        _ request: Request,
        from cache: ResponseCache,
        _ routes: RouteTable
    ) async -> AdminAnswer {
        let expectation = "Nothing was purged: expected a URL such as \(prefix)/urls/http://shop.example/path"
        guard let target = request.head.path, target.hasPrefix(prefix + "/urls/"),
            case let url = target.dropFirst(prefix.utf8.count + "/urls/".utf8.count),
            let uri = AbsoluteURI(url), uri.isHTTP, Authority(uri.authority) != nil
        else { return AdminAnswer(.message(.badRequest, expectation)) }
        let authority = String(uri.authority)
        let path = (uri.rest.utf8.first == ASCII.slash ? "" : "/") + uri.rest
        let head = HTTPRequest(method: .get, scheme: uri.scheme.lowercased(), authority: authority, path: path)
        return await purge(head, under: routes.route(host: authority, path: path).policy, from: cache)
    }

    /// Returns the answer to a request if its client has access, or a refusal, and logs the request with the client and
    /// the status.
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
            client: context.client ?? "unknown",
            status: answered.response.status,
            removed: answered.removed,
            to: context.logger
        )
        return answered.response
    }
}

/// The health of an origin.
struct OriginHealth: Encodable, Sendable {
    /// The origin, such as `http://127.0.0.1:9000`.
    let origin: String
    /// True if the origin answered with any status but a 5xx.
    let isReachable: Bool
    /// The status of the answer, or the error.
    let answer: String

    enum CodingKeys: String, CodingKey {
        case origin
        case isReachable = "reachable"
        case answer
    }
}

/// The source of the context of a request to the gateway's own routes.
struct AdminContextSource: RequestContextSource {
    /// Creates the source of a request's context.
    /// - Parameters:
    ///   - id: The ID of the request.
    ///   - warm: Answers requests of the admin API that fill the cache.
    init(
        _ connection: ClientConnection,
        _ sender: Sender,
        _ logger: Logger,
        id: String,
        warm: @escaping @Sendable (HTTPRequest) async throws -> Response
    ) {
        self.warm = warm
        self.channel = connection.channel
        var logger = logger
        logger[metadataKey: "request-id"] = "\(id)"
        self.logger = logger
        // Loopback access depends on the address of the connection itself, never on an address that a proxy names.
        self.remoteAddress = connection.isProxied ? nil : connection.address
        self.client = sender.client
    }

    let channel: any Channel
    let logger: Logger
    /// The address of the other end of the connection; nil if a proxy names the client.
    let remoteAddress: SocketAddress?
    /// The address of the client; nil if it is not known.
    let client: String?
    /// The function that answers requests which fill the cache.
    let warm: @Sendable (HTTPRequest) async throws -> Response
}

/// The context of the gateway's own routes, which has the address of the client.
struct AdminContext: RequestContext, RemoteAddressRequestContext, AdminClientContext {
    typealias Source = AdminContextSource

    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?
    let client: String?
    /// The function that answers requests which fill the cache.
    let warm: @Sendable (HTTPRequest) async throws -> Response

    init(source: AdminContextSource) {
        self.warm = source.warm
        self.coreContext = CoreRequestContextStorage(source: source)
        self.remoteAddress = source.remoteAddress
        self.client = source.client
    }
}
