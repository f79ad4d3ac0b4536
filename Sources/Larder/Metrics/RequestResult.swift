package import HTTPCaching

/// The way in which a request was answered, as logs and metrics name it.
package enum RequestResult: String, Hashable, Sendable, CaseIterable {
    /// The response is from the store, and fresh.
    case hit
    /// The response is from the store, and stale: while it is refreshed, or because the origin failed or is slow.
    case stale
    /// The origin was asked, since the store did not have a response that could be used.
    case miss
    /// The response is the result of another request's fetch.
    case collapsed
    /// The request went to the origin, and nothing was looked up.
    case bypass
    /// The request went to the origin, and may have changed something there.
    case write
    /// The origin failed, and there is an error in place of a response.
    case error
    /// The cache was not asked: the request was refused, or is for the server itself.
    case none

    /// The results that the metrics count.
    package static let counted = allCases.filter { $0 != .none }

    /// Creates the result that a cache states in `Cache-Status`.
    package init(_ status: CacheStatus) {
        switch status.outcome {
        case .hit: self = status.detail == nil ? .hit : .stale
        case .forwarded(let reason, _, _, let isCollapsed):
            if reason == .method {
                self = status.detail == BypassReason.method.rawValue ? .bypass : .write
            } else if reason == .bypass {
                self = .bypass
            } else if FlightOutcome.Source.staleDetails.contains(where: { $0 == status.detail }) {
                self = .stale
            } else {
                self = isCollapsed ? .collapsed : .miss
            }
        }
    }
}

extension CacheStatus {
    /// The reason why the request was forwarded; nil if it was not.
    package var forwardReason: ForwardReason? {
        switch outcome {
        case .hit: nil
        case .forwarded(let reason, _, _, _): reason
        }
    }
}
