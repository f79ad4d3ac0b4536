import Larder
import LarderRules
import NIOConcurrencyHelpers

/// The requests under way at each origin, so that one that nobody waits for makes room for one that somebody does.
final class OriginLoad: Sendable {
    private struct State {
        /// The requests at each origin, with their fetches, as far as they belong to one.
        var requests: [OriginAddress: [UInt64: BackgroundFetch?]] = [:]
        var last: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())
    private let limit: Int

    /// - Parameter limit: The number of requests that an origin takes at a time; others wait.
    init(limit: Int) { self.limit = limit }

    /// Counts a request while it runs.
    func count<Value>(to origin: OriginAddress, _ body: () async -> Value) async -> Value {
        let fetch = FetchContext.fetch
        let id = state.withLockedValue { state in
            state.last &+= 1
            state.requests[origin, default: [:]][state.last] = .some(fetch)
            return state.last
        }
        defer {
            state.withLockedValue { state in
                state.requests[origin]?[id] = nil
                if state.requests[origin]?.isEmpty == true { state.requests[origin] = nil }
            }
        }
        fetch?.onLeave { [weak self] in self?.makeRoom(at: origin) }
        makeRoom(at: origin)
        return await body()
    }

    /// Ends a fetch that no request waits for, if there are more requests than the origin takes.
    private func makeRoom(at origin: OriginAddress) {
        let fetches = state.withLockedValue { state -> [BackgroundFetch] in
            guard let requests = state.requests[origin], requests.count > limit else { return [] }
            return requests.sorted { $0.key < $1.key }.compactMap(\.value)
        }
        fetches.first { !$0.isAwaited }?.abandon()
    }
}
