import HTTPCaching
import Larder
import Metrics
import OpenMetrics

/// The metrics of a gateway, beside those of its cache and of its origins.
struct GatewayMetrics: Sendable {
    private let registry: MetricsRegistry
    private let reloads, failedReloads: Counter
    private let reloadTime, reloadedAt, isUpToDate: Gauge

    /// Creates the metrics in a registry, with those of the process.
    init(_ registry: MetricsRegistry) {
        registry.describe(MetricDescription.ofGateway)
        registry.addProcessMetrics()
        func reloads(_ result: String) -> Counter {
            Counter(label: "larder_reloads", dimensions: [("result", result)], factory: registry)
        }
        self.registry = registry
        self.reloads = reloads("ok")
        failedReloads = reloads("failed")
        reloadTime = Gauge(label: "larder_reload_duration_seconds", factory: registry)
        reloadedAt = Gauge(label: "larder_last_reload_timestamp_seconds", factory: registry)
        isUpToDate = Gauge(label: "larder_last_reload_successful", factory: registry)
        isUpToDate.record(1)
        Gauge(
            label: "larder_build_info",
            dimensions: [("version", LarderVersion.current), ("swift", LarderVersion.compiler)],
            factory: registry
        ).record(1)
    }

    /// Has the registry read the number of connections from a listener.
    func collect(from listener: Listener) {
        let connections = Gauge(label: "larder_client_connections", factory: registry)
        let requests = Gauge(label: "larder_requests_in_progress", factory: registry)
        registry.addCollector { [weak listener] in
            guard let load = listener?.load else { return }
            connections.record(load.connections)
            requests.record(load.requests)
        }
    }

    /// Records that a configuration was applied.
    /// - Parameters:
    ///   - isComplete: False if a file could not be used.
    ///   - time: The time that it took.
    ///   - now: The present time.
    func reloaded(isComplete: Bool, in time: Duration, at now: Timestamp) {
        (isComplete ? reloads : failedReloads).increment()
        let (seconds, attoseconds) = time.components
        reloadTime.record(Double(seconds) + Double(attoseconds) / 1e18)
        isUpToDate.record(isComplete ? 1 : 0)
        if isComplete { reloadedAt.record(now.secondsSinceEpoch) }
    }

    /// Records that a configuration was refused.
    func refusedReload() {
        failedReloads.increment()
        isUpToDate.record(0)
    }
}

extension MetricDescription {
    /// The metrics of a gateway. `docs/metrics.md` lists them, too.
    static let ofGateway = [
        MetricDescription("larder_origin_available", "1 if the origin is up, 0 if it is down."),
        MetricDescription(
            "larder_origin_time_seconds",
            "Time from sending a request to an origin until the head of its response was there."
        ),
        MetricDescription(
            "larder_request_duration_seconds",
            "Time from the arrival of a request until the last byte of its response was written, by result."
        ),
        MetricDescription("larder_response_body_bytes", "Bytes of bodies that were written, by result."),
        MetricDescription("larder_client_connections", "Open connections of clients."),
        MetricDescription("larder_requests_in_progress", "Requests that are being answered."),
        MetricDescription("larder_reloads", "Reloads of the configuration, by result."),
        MetricDescription("larder_reload_duration_seconds", "Time that the last reload took."),
        MetricDescription(
            "larder_last_reload_timestamp_seconds",
            "Time of the last reload without an error, in seconds since 1970."
        ),
        MetricDescription("larder_last_reload_successful", "1 if the last reload had no error, or none was asked for."),
        MetricDescription("larder_build_info", "1, with the version of Larder and of the compiler."),
    ]
}
