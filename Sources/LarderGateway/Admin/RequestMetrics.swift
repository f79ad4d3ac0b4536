import Larder
import Metrics
import NIOCore
import OpenMetrics

/// The metrics of the whole of requests, by result: how long they took, and the bytes of their bodies.
struct RequestMetrics: Sendable {
    private let times: [Timer]
    private let bytes: [Counter]

    /// Creates the metrics in a registry.
    init(_ registry: MetricsRegistry) {
        let results = RequestResult.allCases.map(\.rawValue)
        times = results.map {
            Timer(label: "larder_request_duration_seconds", dimensions: [("result", $0)], factory: registry)
        }
        bytes = results.map {
            Counter(label: "larder_response_body_bytes", dimensions: [("result", $0)], factory: registry)
        }
    }

    /// Counts a request whose response is written.
    func count(_ record: RequestRecord) {
        let place = record.result.place
        times[place].recordNanoseconds(record.duration.nanoseconds)
        bytes[place].increment(by: record.bytes)
    }
}

extension RequestResult {
    /// The place of the result among all of them.
    fileprivate var place: Int {
        switch self {
        case .hit: 0
        case .stale: 1
        case .miss: 2
        case .collapsed: 3
        case .bypass: 4
        case .write: 5
        case .error: 6
        case .none: 7
        }
    }
}
