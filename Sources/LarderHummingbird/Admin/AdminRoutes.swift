package import HTTPTypes
public import Hummingbird
public import Larder
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension RouterMethods {
    /// Adds the routes to administer a cache: `DELETE api/invalidate/{key}` and `GET metrics/cache`.
    ///
    /// The key is written in the path as it is, or percent-encoded. A `?` in the key must be written `%3F`, and a `#`
    /// `%23`.
    /// - Parameters:
    ///   - cache: The cache that the routes administer.
    ///   - access: The clients that may use the routes; there is no default.
    ///   - invalidation: The path before the key; `api/invalidate` by default.
    ///   - metrics: The path of the metrics; `metrics/cache` by default.
    @discardableResult
    public func addCacheAdministration(
        of cache: ResponseCache,
        access: AdminAccess,
        invalidation: RouterPath = "api/invalidate",
        metrics: RouterPath = "metrics/cache"
    ) -> Self {
        addCacheAdministration(of: cache, access: access, invalidation: invalidation, metrics: metrics, form: .path)
    }

    /// Adds the same routes for a cache whose keys have the given form.
    @discardableResult
    package func addCacheAdministration(
        of cache: ResponseCache,
        access: AdminAccess,
        invalidation: RouterPath,
        metrics: RouterPath,
        form: AdminKeyForm,
        audit: AdminAudit = AdminAudit()
    ) -> Self {
        if case .loopback = access {
            precondition(
                Context.self is any RemoteAddressRequestContext.Type,
                "Loopback access needs the client's address: conform the context to RemoteAddressRequestContext"
            )
        }
        let routes = AdminRoutes<Context>(cache: cache, access: access, form: form, audit: audit)
        on(invalidation.appendingPath("**"), method: .delete, use: routes.invalidate)
        on(metrics, method: .get, use: routes.metrics)
        return self
    }
}

/// The form of a cache's keys.
package enum AdminKeyForm: Sendable {
    /// Keys such as `GET:/api/posts/`, without a host: the handlers of an application do not differ by host.
    case path
    /// Keys such as `GET:http://shop.example/api/posts/`, with a host, as a gateway uses them.
    case url

    /// Returns true if a key has this form, so that a response may be stored under it.
    func includes(_ key: CacheKey) -> Bool {
        switch self {
        case .path: true
        case .url: ["GET:http://", "GET:https://"].contains { key.description.hasPrefix($0) }
        }
    }

    var expectation: String {
        switch self {
        case .path: "a key such as GET:/api/posts/"
        case .url: "a key with its host, such as GET:http://shop.example/api/posts/"
        }
    }
}

/// The handlers of the admin routes.
struct AdminRoutes<Context: RequestContext>: Sendable {
    let cache: ResponseCache
    let access: AdminAccess
    var form = AdminKeyForm.path
    let audit: AdminAudit

    @Sendable func invalidate(_ request: Request, context: Context) async -> Response {
        await guarded(request, context) {
            guard request.uri.query == nil else {
                return AdminAnswer(.message(.badRequest, "Nothing was deleted: write %3F for a ? in a key"))
            }
            let readings = Self.keys(in: request, below: context.endpointPath)
                .map { $0.filter(form.includes) }.filter { !$0.isEmpty }
            guard !readings.isEmpty else {
                return AdminAnswer(.message(.badRequest, "Nothing was deleted: expected \(form.expectation)"))
            }
            // While the store cannot be reached, every reading is queued for removal. Otherwise the first stored one is
            // the last that is removed.
            var result = RemovalResult.nothing
            for keys in readings {
                let removal = await cache.remove(keys)
                result = result.adding(removal)
                if removal.wasStored, removal.invalidation == .acknowledged { break }
            }
            return AdminAnswer(
                result,
                ok: "Cache key deleted",
                notFound: "No such cache key",
                pending: "The cache cannot be reached; the key will be deleted when it is reachable again"
            )
        }
    }

    @Sendable func metrics(_ request: Request, context: Context) async -> Response {
        await guarded(request, context) {
            let total = await cache.count()
            let metrics = CacheMetrics(
                cache.statistics.snapshot(),
                totalCachedKeys: total,
                isStoreAvailable: cache.isStoreAvailable
            )
            return AdminAnswer(.json(.ok, metrics))
        }
    }

    /// Returns the answer to a request if its client has access, or a refusal, and logs the request with the client and
    /// the status.
    func guarded(_ request: Request, _ context: Context, _ answer: () async -> AdminAnswer) async -> Response {
        let peer = (context as? any RemoteAddressRequestContext)?.remoteAddress
        var answered: AdminAnswer
        do throws(AdminRefusal) {
            try access.check(request, peer: peer)
            answered = await answer()
        } catch {
            answered = AdminAnswer(.refusal(error))
        }
        audit.log(request, client: Self.client(of: context, at: peer), answered, to: context.logger)
        return answered.response
    }

    /// Returns the client's address for the log, or `unknown`; nil if the context does not have the address of the
    /// connection, as is the case for `BasicRequestContext`.
    static func client(of context: Context, at peer: SocketAddress?) -> String? {
        if let context = context as? any AdminClientContext { return context.client ?? "unknown" }
        guard context is any RemoteAddressRequestContext else { return nil }
        return peer?.ipAddress ?? "unknown"
    }

    /// Returns the keys that the end of a path may stand for: the text as it is, the text decoded once, and the text
    /// with only `?` and `#` decoded, which a path cannot contain. Each reading has every spelling of its URL. The raw
    /// path is used, because the router would drop a trailing slash, which belongs to the key.
    static func keys(in request: Request, below endpoint: String?) -> [[CacheKey]] {
        let written = rest(of: request, below: endpoint)
        let marked = written.replacing("%3F", with: "?").replacing("%3f", with: "?").replacing("%23", with: "#")
        let decoded = CacheKey(percentEncoded: written)?.description
        var readings: [[CacheKey]] = []
        for text in [written, decoded, marked].compactMap(\.self) {
            let keys = CacheKey.spellings(of: text).filter { key in !readings.contains { $0.contains(key) } }
            if !keys.isEmpty { readings.append(keys) }
        }
        return readings
    }

    /// Returns the end of a path that the last component of an endpoint matches, as the client wrote it.
    static func rest(of request: Request, below endpoint: String?) -> String {
        let depth = (endpoint ?? "").split(separator: "/").count - 1
        var rest = request.uri.path[...]
        for _ in 0..<max(0, depth) {
            rest = rest.drop { $0 == "/" }.drop { $0 != "/" }
        }
        return String(rest.dropFirst())
    }
}

/// The body of `GET metrics/cache`.
private struct CacheMetrics: Encodable {
    let hits: Int
    let misses: Int
    let stale: Int
    let topKeys: [Pair]
    let totalCachedKeys: Int
    /// False if the store cannot be reached, in which case the number of keys is the last one known; nil if it can be
    /// reached.
    let storeAvailable: Bool?

    /// A key and its count, written as `["GET:/api/posts/", 7]`.
    struct Pair: Encodable {
        let key: CacheKey
        let count: Int

        func encode(to encoder: any Encoder) throws {
            var pair = encoder.unkeyedContainer()
            try pair.encode(key.description)
            try pair.encode(count)
        }
    }

    enum CodingKeys: String, CodingKey {
        case hits, misses, stale
        case topKeys = "top_keys"
        case totalCachedKeys = "total_cached_keys"
        case storeAvailable = "store_available"
    }

    init(_ snapshot: CacheStatistics.Snapshot, totalCachedKeys: Int, isStoreAvailable: Bool) {
        self.hits = snapshot.hits
        self.misses = snapshot.misses
        self.stale = snapshot.stale
        self.topKeys = snapshot.topKeys.map(Pair.init)
        self.totalCachedKeys = totalCachedKeys
        self.storeAvailable = isStoreAvailable ? nil : false
    }
}

/// The body of a response that says what was done.
private struct AdminMessage: Encodable {
    let message: String
    /// The number of removed entries; left out if they are not counted.
    let removed: Int?
}

extension Response {
    /// Returns a JSON response with one message, and with the number of removed entries if they are counted.
    package static func message(
        _ status: HTTPResponse.Status,
        _ message: String,
        removed: Int? = nil
    ) -> Response {
        json(status, AdminMessage(message: message, removed: removed))
    }

    /// Returns the response to a request that may not use the admin routes.
    package static func refusal(_ refusal: AdminRefusal) -> Response {
        var response = message(refusal.status, refusal.message)
        // RFC 9110 §11.6.1: "A server generating a 401 response MUST send a WWW-Authenticate header field".
        if refusal.status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }

    /// Returns a JSON response that must not be stored (`no-store`).
    package static func json(_ status: HTTPResponse.Status, _ value: some Encodable) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("Numbers and strings must be encodable as JSON")
        }
        let fields: HTTPFields = [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"]
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }
}
