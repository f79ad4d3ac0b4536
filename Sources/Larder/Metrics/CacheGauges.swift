import Metrics

/// The metrics of a cache that are recorded when they are read, and not when they change.
struct CacheGauges: Sendable {
    /// The name of the cache when it was created, which is the label of the series.
    let name: String
    private let entries, available, flights, waiters, bodies, used, limit: Gauge
    private let evictions, expirations: RisingCounter

    init(cache name: String, factory: any MetricsFactory) {
        self.name = name
        let dimensions = [("cache", name)]
        func gauge(_ label: String) -> Gauge { Gauge(label: label, dimensions: dimensions, factory: factory) }
        entries = gauge("larder_store_entries")
        available = gauge("larder_store_available")
        flights = gauge("larder_flights")
        waiters = gauge("larder_waiters")
        bodies = gauge("larder_bodies_in_flight_bytes")
        used = gauge("larder_store_used_bytes")
        limit = gauge("larder_store_limit_bytes")
        evictions = RisingCounter(Counter(label: "larder_evictions", dimensions: dimensions, factory: factory))
        expirations = RisingCounter(Counter(label: "larder_expirations", dimensions: dimensions, factory: factory))
    }

    /// Records the gauges.
    /// - Parameter asksStore: False to not ask a store for the number of entries that has them elsewhere.
    func record(_ cache: ResponseCache, asksStore: Bool) async {
        let isAvailable = cache.isStoreAvailable
        available.record(isAvailable ? 1 : 0)
        if isAvailable, asksStore || cache.store.usage != nil { entries.record(await cache.count()) }
        flights.record(cache.flights.count)
        waiters.record(cache.flights.waiterCount)
        bodies.record(cache.inFlight.used)
        guard let usage = cache.store.usage else { return }
        used.record(usage.used.bytes)
        limit.record(usage.limit.bytes)
        evictions.rise(to: usage.evictions)
        expirations.rise(to: usage.expirations)
    }
}
