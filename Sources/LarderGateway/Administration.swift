import HTTPTypes
import Hummingbird
import HummingbirdCore
import Larder
import LarderHummingbird
import LarderRules
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// What the gateway answers itself: whether it and its origins are well, what the cache counts, and what is to be
/// forgotten.
struct Administration: Sendable {
    /// The path below which these routes are, such as `/-/larder`.
    let prefix: String
    private let access: AdminAccess
    private let cache: Cache
    private let responder: any HTTPResponder<AdminContext>
    private let logger: Logger

    init(
        of cache: Cache,
        access: AdminAccess,
        at prefix: String,
        origins: @escaping @Sendable () async -> [OriginHealth],
        isReady: @escaping @Sendable () -> Bool,
        logger: Logger
    ) {
        self.prefix = prefix
        self.access = access
        self.cache = cache
        self.logger = logger
        let router = Router(context: AdminContext.self, options: .autoGenerateHeadEndpoints)
        let path = RouterPath(prefix)
        router.addCacheAdministration(
            of: cache,
            access: access,
            invalidation: path.appendingPath("invalidate"),
            metrics: path.appendingPath("metrics/cache")
        )
        router.addBulkInvalidation(of: cache, access: access, at: path)
        // Load balancers ask this, and it tells nothing.
        router.get(path.appendingPath("health")) { _, _ in Response.json(.ok, ["status": "ok"]) }
        // They ask this to learn whether new requests are wanted: not once the gateway is to stop.
        router.get(path.appendingPath("ready")) { _, _ in
            isReady()
                ? Response.json(.ok, ["status": "ready"])
                : .json(.serviceUnavailable, ["status": "draining"])
        }
        router.get(path.appendingPath("health/origins")) { request, context in
            do throws(AdminRefusal) {
                try access.check(request, peer: context.remoteAddress)
            } catch {
                return Response.refusal(error)
            }
            let origins = await origins()
            return .json(origins.allSatisfy(\.isReachable) ? .ok : .serviceUnavailable, ["origins": origins])
        }
        self.responder = router.buildResponder()
    }

    /// Whether a request is about the gateway, and goes to no origin.
    func isAbout(_ head: HTTPRequest) -> Bool {
        guard let path = head.path, path.hasPrefix(prefix) else { return false }
        let next = path.utf8.dropFirst(prefix.utf8.count).first
        return next == nil || next == UInt8(ascii: "/") || next == UInt8(ascii: "?")
    }

    func answer(_ request: Request, by connection: ClientConnection) async -> Response {
        let context = AdminContext(connection, logger)
        do {
            let response = try await responder.respond(to: request, context: context)
            guard response.status == .notFound, response.body.contentLength == 0 else { return response }
            return .message(.notFound, "There is no such route")
        } catch {
            return .message((error as? any HTTPResponseError)?.status ?? .internalServerError, "There is no such route")
        }
    }

    /// Lets go of the response to a GET for this URL, with its variants.
    func purge(_ request: Request, under policy: CachePolicy, peer: SocketAddress?) async -> Response {
        do throws(AdminRefusal) {
            try access.check(request, peer: peer)
        } catch {
            return .refusal(error)
        }
        let removal = await cache.remove(request.head, under: policy)
        switch removal.invalidation {
        case .acknowledged:
            return removal.wasStored ? .message(.ok, "Purged") : .message(.notFound, "This URL is not kept")
        case .pending:
            return .message(.serviceUnavailable, "The cache cannot be reached; the URL will be purged when it can")
        }
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

/// The context of the gateway's own routes: it knows who asks.
struct AdminContext: RequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.remoteAddress = source.channel.remoteAddress
    }

    /// Creates the context of a request by a connection.
    init(_ connection: ClientConnection, _ logger: Logger) {
        let source = ApplicationRequestContextSource(channel: connection.channel, logger: logger)
        self.coreContext = CoreRequestContextStorage(source: source)
        self.remoteAddress = connection.address
    }
}
