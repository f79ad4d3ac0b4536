import HTTPTypes
public import Hummingbird
public import Larder
import NIOCore
import OpenMetrics

extension RouterMethods {
    /// Adds `GET {path}`, which returns the metrics of a cache, and of everything that reports to the same registry,
    /// for Prometheus.
    ///
    /// The format is OpenMetrics if the client accepts it, and otherwise the text format of Prometheus. To have the
    /// metrics of other libraries as well, bootstrap swift-metrics with a registry before the cache is created:
    ///
    /// ```swift
    /// MetricsSystem.bootstrap(MetricsRegistry())
    /// ```
    /// - Parameters:
    ///   - cache: The cache whose metrics the route returns.
    ///   - access: The clients that may use the route; there is no default.
    ///   - path: The path of the route.
    @discardableResult
    public func addMetrics(of cache: ResponseCache, access: AdminAccess, at path: RouterPath = "metrics") -> Self {
        addMetrics(of: cache, access: access, at: path, audit: AdminAudit())
    }

    /// Adds the same route, whose refused requests another audit logs.
    @discardableResult
    package func addMetrics(
        of cache: ResponseCache,
        access: AdminAccess,
        at path: RouterPath,
        audit: AdminAudit
    ) -> Self {
        let routes = AdminRoutes<Context>(cache: cache, access: access, form: .path, audit: audit)
        return get(path, use: routes.metricsText)
    }
}

extension AdminRoutes {
    @Sendable fileprivate func metricsText(_ request: Request, context: Context) async -> Response {
        await guarded(request, context) {
            let registry = cache.statistics.metrics
            await registry.collect()
            let format = MetricsTextFormat.accepted(by: request.headers[.accept])
            let fields: HTTPFields = [.contentType: format.contentType, .cacheControl: "no-store", .vary: "Accept"]
            let text = ByteBuffer(string: registry.text(format))
            var answer = AdminAnswer(Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: text)))
            answer.isRoutine = true
            return answer
        }
    }
}
