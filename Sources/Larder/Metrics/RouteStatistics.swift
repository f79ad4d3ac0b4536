import Metrics
import NIOConcurrencyHelpers
import OpenMetrics

/// The counts of the requests for one route.
package final class RouteStatistics: Sendable {
    /// The label of the route: its path in an application, the name of its rule in the gateway.
    package let name: String
    private let hits, stale, misses, collapsed, bypasses, writes, errors: Counter
    private let staleReasons, bypassReasons, notStored: ReasonCounters

    init(_ name: String, _ factory: any MetricsFactory) {
        func counter(_ result: RequestResult) -> Counter {
            let dimensions = [("route", name), ("result", result.rawValue)]
            return Counter(label: "larder_requests", dimensions: dimensions, factory: factory)
        }
        self.name = name
        hits = counter(.hit)
        stale = counter(.stale)
        misses = counter(.miss)
        collapsed = counter(.collapsed)
        bypasses = counter(.bypass)
        writes = counter(.write)
        errors = counter(.error)
        staleReasons = ReasonCounters("larder_stale_responses", name, factory)
        bypassReasons = ReasonCounters("larder_bypasses", name, factory)
        notStored = ReasonCounters("larder_not_stored", name, factory)
    }

    func count(_ result: RequestResult) {
        switch result {
        case .hit: hits.increment()
        case .stale: stale.increment()
        case .miss: misses.increment()
        case .collapsed: collapsed.increment()
        case .bypass: bypasses.increment()
        case .write: writes.increment()
        case .error: errors.increment()
        case .none: break
        }
    }

    func countStale(because reason: String) { staleReasons.count(reason) }
    func countBypass(because reason: BypassReason) { bypassReasons.count(reason.rawValue) }
    func countNotStored(because reason: NotStoredReason) { notStored.count(reason.detail) }
}

/// Counters by reason, each created when the reason occurs first.
private final class ReasonCounters: Sendable {
    private let counters = NIOLockedValueBox<[String: Counter]>([:])
    private let label: String
    private let route: String
    private let factory: any MetricsFactory

    init(_ label: String, _ route: String, _ factory: any MetricsFactory) {
        (self.label, self.route, self.factory) = (label, route, factory)
    }

    func count(_ reason: String) {
        counters.withLockedValue { counters in
            if let counter = counters[reason] { return counter.increment() }
            let dimensions = [("route", route), ("reason", reason)]
            let counter = Counter(label: label, dimensions: dimensions, factory: factory)
            counters[reason] = counter
            counter.increment()
        }
    }
}
