import Metrics
import NIOConcurrencyHelpers
public import OpenMetrics
import Synchronization

/// The counts of a cache's events since the process began.
///
/// Hits and misses are exact under concurrency. The same events are counted by route, result and reason in
/// ``metrics``, and go on to swift-metrics from there; labels never hold keys or URLs.
public final class CacheStatistics: Sendable {
    /// The counts at one moment.
    public struct Snapshot: Sendable {
        /// The number of requests answered from the store without waiting for the origin.
        public let hits: Int
        /// The number of requests that looked for a stored response, and found none that could answer it without the
        /// origin.
        public let misses: Int
        /// The number of requests answered with a stale response, for whatever reason: they are among the hits and
        /// misses.
        public let stale: Int
        /// The keys with the most requests, each with its hits and misses together. Beyond
        /// ``CacheLimits/topKeys`` keys, it is the number of requests that are certain.
        public let topKeys: [(key: CacheKey, count: Int)]
    }

    /// The number of routes that are counted apart. Requests for further routes are counted as `other`.
    static let routeLimit = 200

    /// The metrics of the cache, and of everything that reports to the same registry.
    public let metrics: MetricsRegistry

    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)
    private let stale = Atomic<Int>(0)
    private let keys: TopKeys
    private let counters: Counters
    private let routes = NIOLockedValueBox<[String: RouteStatistics]>([:])
    /// The counts of requests whose policy belongs to no route.
    private let unnamed: RouteStatistics

    init(keyLimit: Int, metrics factory: any MetricsFactory) {
        metrics = factory as? MetricsRegistry ?? MetricsRegistry(forwardingTo: factory)
        metrics.describe(MetricDescription.ofCache)
        keys = TopKeys(guaranteed: keyLimit)
        counters = Counters(factory: metrics)
        unnamed = RouteStatistics("", metrics)
    }

    /// Returns the counts of a route, which are created if there are none.
    package func route(_ name: String) -> RouteStatistics {
        routes.withLockedValue { routes in
            if let route = routes[name] { return route }
            let name = routes.count < Self.routeLimit ? name : "other"
            let route = routes[name] ?? RouteStatistics(name, metrics)
            routes[name] = route
            return route
        }
    }

    /// Returns the counts now.
    /// - Parameter count: The number of keys to return at most, 10 by default.
    public func snapshot(topKeys count: Int = 10) -> Snapshot {
        Snapshot(
            hits: hits.load(ordering: .relaxed),
            misses: misses.load(ordering: .relaxed),
            stale: stale.load(ordering: .relaxed),
            topKeys: keys.top(count)
        )
    }

    /// Returns the number of requests for a key, hits and misses together, as far as they are certain; nil if the key
    /// is not counted.
    package func requests(for key: CacheKey) -> Int? { keys.count(of: key) }

    /// Counts an event of a route; nil if it belongs to none.
    func record(_ event: CacheEvent, of route: RouteStatistics?) {
        let route = route ?? unnamed
        switch event {
        case .hit(let key, let kind):
            hits.wrappingAdd(1, ordering: .relaxed)
            keys.count(key)
            if kind == .fresh { route.count(.hit) } else { countStale(of: route, because: kind.rawValue) }
        case .miss(let key, let kind):
            misses.wrappingAdd(1, ordering: .relaxed)
            keys.count(key)
            switch kind {
            case .led, .onlyIfCached: route.count(.miss)
            case .collapsed: route.count(.collapsed)
            case .staleOnError, .staleOnTimeout: countStale(of: route, because: kind.rawValue)
            case .failed: route.count(.error)
            }
        case .bypassed(let reason): route.countBypass(because: reason)
        case .stored: counters.stored.increment()
        case .validated: counters.validated.increment()
        case .notStored(_, let reason): route.countNotStored(because: reason)
        case .refreshFailed: counters.refreshFailures.increment()
        case .invalidated: counters.invalidations.increment()
        case .invalidationPending: counters.pendingInvalidations.increment()
        }
    }

    private func countStale(of route: RouteStatistics, because reason: String) {
        stale.wrappingAdd(1, ordering: .relaxed)
        route.count(.stale)
        route.countStale(because: reason)
    }

    /// Counts a request that was forwarded without a look-up.
    func count(_ result: RequestResult, of route: RouteStatistics?) { (route ?? unnamed).count(result) }

    /// Records the time from the arrival of a request until the head of its response was there.
    func recordTime(_ nanoseconds: Int64, isHit: Bool) {
        (isHit ? counters.hitTime : counters.missTime).recordNanoseconds(nanoseconds)
    }
}

/// The metrics that have no route, which are created once.
private struct Counters: Sendable {
    let stored, validated, refreshFailures, invalidations, pendingInvalidations: Counter
    let hitTime, missTime: Timer

    init(factory: any MetricsFactory) {
        func counter(_ label: String) -> Counter { Counter(label: label, factory: factory) }
        func timer(_ result: String) -> Timer {
            Timer(
                label: "larder_time_to_first_byte_seconds",
                dimensions: [("result", result)],
                preferredDisplayUnit: .seconds,
                factory: factory
            )
        }
        stored = counter("larder_stored")
        validated = counter("larder_validated")
        refreshFailures = counter("larder_refresh_failures")
        invalidations = counter("larder_invalidations")
        pendingInvalidations = counter("larder_pending_invalidations")
        hitTime = timer("hit")
        missTime = timer("miss")
    }
}
