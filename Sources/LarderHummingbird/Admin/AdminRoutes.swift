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
    /// Adds the routes by which people look after a cache: `DELETE api/invalidate/{key}` and `GET metrics/cache`.
    ///
    /// The key stands in the path as it is, or percent-encoded; a `?` in it must be `%3F`, and a `#` `%23`.
    /// - Parameters:
    ///   - access: who may use them; there is no default.
    ///   - invalidation: the path before the key.
    ///   - metrics: the path of the metrics.
    @discardableResult
    public func addCacheAdministration(
        of cache: Cache,
        access: AdminAccess,
        invalidation: RouterPath = "api/invalidate",
        metrics: RouterPath = "metrics/cache"
    ) -> Self {
        if case .loopback = access {
            precondition(
                Context.self is any RemoteAddressRequestContext.Type,
                "Loopback access needs a context that knows its peer: conform it to RemoteAddressRequestContext"
            )
        }
        let routes = AdminRoutes<Context>(cache: cache, access: access)
        on(invalidation.appendingPath("**"), method: .delete, use: routes.invalidate)
        on(metrics, method: .get, use: routes.metrics)
        return self
    }
}

/// The admin routes' handlers.
struct AdminRoutes<Context: RequestContext>: Sendable {
    let cache: Cache
    let access: AdminAccess

    @Sendable func invalidate(_ request: Request, context: Context) async -> Response {
        await guarded(request, context) {
            guard request.uri.query == nil else {
                return .message(.badRequest, "A ? in a key is written %3F")
            }
            // Every spelling is removed, or none but the first would be queued while the store is away.
            var results: [RemovalResult] = []
            for key in Self.keys(in: request, below: context.endpointPath) {
                let result = await cache.remove(key)
                results.append(result)
                if result.wasStored, result.invalidation == .acknowledged { break }
            }
            guard results.allSatisfy({ $0.invalidation == .acknowledged }) else {
                return .message(.serviceUnavailable, "The cache cannot be reached; the key will be deleted when it can")
            }
            return results.contains { $0.wasStored }
                ? .message(.ok, "Cache key deleted") : .message(.notFound, "No such cache key")
        }
    }

    @Sendable func metrics(_ request: Request, context: Context) async -> Response {
        await guarded(request, context) {
            let total = await cache.count()
            return .json(
                .ok,
                CacheMetrics(
                    cache.statistics.snapshot(),
                    totalCachedKeys: total,
                    isStoreAvailable: cache.isStoreAvailable
                )
            )
        }
    }

    /// The answer to a request that may have it.
    func guarded(_ request: Request, _ context: Context, _ answer: () async -> Response) async -> Response {
        do throws(AdminRefusal) {
            try access.check(request, peer: (context as? any RemoteAddressRequestContext)?.remoteAddress)
        } catch {
            return .refusal(error)
        }
        return await answer()
    }

    /// The keys that the end of a path may stand for: as it is, decoded once, and as it is but for `?` and `#`, which a
    /// path cannot hold. The router would drop a trailing slash, which belongs to the key.
    static func keys(in request: Request, below endpoint: String?) -> [CacheKey] {
        let written = rest(of: request, below: endpoint)
        let marked = written.replacing("%3F", with: "?").replacing("%3f", with: "?").replacing("%23", with: "#")
        var keys: [CacheKey] = []
        for case let key? in [CacheKey(written), CacheKey(percentEncoded: written), CacheKey(marked)]
        where !keys.contains(key) {
            keys.append(key)
        }
        return keys
    }

    /// The end of a path that the last component of an endpoint stands for, as it was written.
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
    let topKeys: [Pair]
    let totalCachedKeys: Int
    /// False if the store cannot be reached, so that the number of keys is the last one known; nil if it can.
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
        case hits, misses
        case topKeys = "top_keys"
        case totalCachedKeys = "total_cached_keys"
        case storeAvailable = "store_available"
    }

    init(_ snapshot: CacheStatistics.Snapshot, totalCachedKeys: Int, isStoreAvailable: Bool) {
        self.hits = snapshot.hits
        self.misses = snapshot.misses
        self.topKeys = snapshot.topKeys.map(Pair.init)
        self.totalCachedKeys = totalCachedKeys
        self.storeAvailable = isStoreAvailable ? nil : false
    }
}

extension Response {
    /// A JSON body with one message.
    package static func message(_ status: HTTPResponse.Status, _ message: String) -> Response {
        json(status, ["message": message])
    }

    /// The answer to a request that may not use the admin routes.
    package static func refusal(_ refusal: AdminRefusal) -> Response {
        var response = message(refusal.status, refusal.message)
        // RFC 9110 §11.6.1: "A server generating a 401 response MUST send a WWW-Authenticate header field".
        if refusal.status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }

    /// A JSON body, for this asker alone.
    package static func json(_ status: HTTPResponse.Status, _ value: some Encodable) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("Numbers and strings can be written as JSON")
        }
        let fields: HTTPFields = [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"]
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }
}
