import HTTPCaching
import NIOCore

extension ResponseCache {
    /// Records a hit on a fresh response, and counts it as a use of the entry.
    func recordHit(_ entry: CacheEntry, _ cacheable: CacheableRequest) {
        recordHit(entry, cacheable.location.key, of: cacheable.sharedPolicy.route, since: cacheable.arrival)
    }

    /// Records a hit on a fresh response, and counts it as a use of the entry.
    func recordHit(_ entry: CacheEntry, _ key: CacheKey, of route: RouteStatistics?, since arrival: NIODeadline) {
        entry.noteUse()
        record(.hit(key, .fresh), of: route)
        if logsRequests { logHit(key) }
        tracing.noteHit()
        statistics.recordTime((.now() - arrival).nanoseconds, isHit: true)
    }

    /// Records the hit or miss of a request, whose response is there.
    func record(_ event: CacheEvent, for cacheable: CacheableRequest) {
        record(event, of: cacheable.sharedPolicy.route)
        let isHit = if case .hit = event { true } else { false }
        statistics.recordTime((.now() - cacheable.arrival).nanoseconds, isHit: isHit)
    }

    /// Records an event of a route; nil if it belongs to none.
    func record(_ event: CacheEvent, of route: RouteStatistics?) {
        statistics.record(event, of: route)
        observer?.observe(event)
    }

    /// The time since the cache was created, in seconds.
    package var uptime: Double { Double((NIODeadline.now() - created).nanoseconds) / 1e9 }

    /// The memory that the store uses in this process; nil if it is elsewhere.
    package var storeUsage: StoreUsage? { store.usage }

    /// The number of requests that wait for another request's fetch.
    package var waiterCount: Int { flights.waiterCount }

    /// The number of fetches under way that other requests may wait for.
    package var flightCount: Int { flights.count }
}

extension CacheEvent.Hit {
    init(_ reason: Reuse.StaleReason) {
        self =
            switch reason {
            case .whileRevalidating: .staleWhileRevalidating
            case .clientAllows: .staleAllowedByClient
            }
    }
}
