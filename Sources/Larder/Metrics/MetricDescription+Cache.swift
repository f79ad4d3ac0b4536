import OpenMetrics

extension MetricDescription {
    /// The metrics of every cache. `docs/metrics.md` lists them, too.
    static let ofCache = [
        MetricDescription("larder_requests", "Requests, by route and result."),
        MetricDescription("larder_stale_responses", "Requests answered with a stale response, by route and reason."),
        MetricDescription("larder_bypasses", "Requests that bypassed the cache, by route and reason."),
        MetricDescription("larder_not_stored", "Fetched responses that were not stored, by route and reason."),
        MetricDescription("larder_stored", "Fetched responses that were stored."),
        MetricDescription("larder_validated", "Stored responses that the origin confirmed."),
        MetricDescription("larder_refresh_failures", "Refreshes in the background that failed."),
        MetricDescription("larder_invalidations", "Invalidations that the store acknowledged."),
        MetricDescription(
            "larder_pending_invalidations",
            "Invalidations that the store had not acknowledged within its deadline."
        ),
        MetricDescription(
            "larder_time_to_first_byte_seconds",
            "Time from the arrival of a request until the head of its response was there, for hits and misses."
        ),
        MetricDescription("larder_store_entries", "Keys under which a response is stored."),
        MetricDescription("larder_store_available", "1 if the store can be reached, 0 otherwise."),
        MetricDescription("larder_store_used_bytes", "Memory that the store uses of its limit, everything charged."),
        MetricDescription("larder_store_limit_bytes", "Limit of the memory of the store."),
        MetricDescription("larder_evictions", "Keys that were removed from the store to make room."),
        MetricDescription("larder_expirations", "Keys that were removed because their storage time was over."),
        MetricDescription("larder_flights", "Fetches under way that other requests may wait for."),
        MetricDescription("larder_waiters", "Requests that wait for the fetch of another request."),
        MetricDescription(
            "larder_bodies_in_flight_bytes",
            "Memory of bodies that are being received or sent and are in no store of this process."
        ),
    ]
}
