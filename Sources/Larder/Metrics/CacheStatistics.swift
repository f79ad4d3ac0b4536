import Metrics
import Synchronization

/// The counts of a cache's events since the process began.
///
/// Hits and misses are exact under concurrency. The same numbers go to swift-metrics as `larder_hits`, `larder_misses`
/// and so on; labels are kinds and reasons, never keys.
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

    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)
    private let stale = Atomic<Int>(0)
    private let keys: TopKeys
    private let counters: Counters

    init(keyLimit: Int, metrics: any MetricsFactory) {
        self.keys = TopKeys(guaranteed: keyLimit)
        self.counters = Counters(factory: metrics)
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

    func record(_ event: CacheEvent) {
        switch event {
        case .hit(let key, let kind):
            hits.wrappingAdd(1, ordering: .relaxed)
            keys.count(key)
            counters.hit(kind).increment()
            if kind == .stale { countStale() }
        case .miss(let key, let kind):
            misses.wrappingAdd(1, ordering: .relaxed)
            keys.count(key)
            counters.misses[kind]?.increment()
            if kind == .staleOnError { countStale() }
        case .bypassed(let reason): counters.bypasses[reason]?.increment()
        case .stored: counters.stored.increment()
        case .validated: counters.validated.increment()
        case .notStored(_, let reason): counters.notStored(reason)
        case .refreshFailed: counters.refreshFailures.increment()
        case .invalidated: counters.invalidations.increment()
        case .invalidationPending: counters.pendingInvalidations.increment()
        }
    }

    private func countStale() {
        stale.wrappingAdd(1, ordering: .relaxed)
        counters.stale.increment()
    }
}

/// The counters of swift-metrics, which are created once.
private struct Counters: Sendable {
    private let freshHits, staleHits: Counter
    let misses: [CacheEvent.Miss: Counter]
    let bypasses: [BypassReason: Counter]
    let stale: Counter
    let stored: Counter
    let validated: Counter
    let refreshFailures: Counter
    let invalidations: Counter
    let pendingInvalidations: Counter
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        func counters<Kind: CaseIterable & Hashable & RawRepresentable<String>>(
            _ label: String,
            by dimension: String
        ) -> [Kind: Counter] {
            Dictionary(
                uniqueKeysWithValues: Kind.allCases.map { kind in
                    (kind, Counter(label: label, dimensions: [(dimension, kind.rawValue)], factory: factory))
                }
            )
        }
        let hits: [Counter] = [CacheEvent.Hit.fresh, .stale].map { kind in
            Counter(label: "larder_hits", dimensions: [("kind", kind.rawValue)], factory: factory)
        }
        (freshHits, staleHits) = (hits[0], hits[1])
        misses = counters("larder_misses", by: "kind")
        bypasses = counters("larder_bypasses", by: "reason")
        stale = Counter(label: "larder_stale", factory: factory)
        stored = Counter(label: "larder_stored", factory: factory)
        validated = Counter(label: "larder_validated", factory: factory)
        refreshFailures = Counter(label: "larder_refresh_failures", factory: factory)
        invalidations = Counter(label: "larder_invalidations", factory: factory)
        pendingInvalidations = Counter(label: "larder_pending_invalidations", factory: factory)
        self.factory = factory
    }

    func hit(_ kind: CacheEvent.Hit) -> Counter {
        switch kind {
        case .fresh: freshHits
        case .stale: staleHits
        }
    }

    func notStored(_ reason: NotStoredReason) {
        Counter(label: "larder_not_stored", dimensions: [("reason", reason.detail)], factory: factory).increment()
    }
}
