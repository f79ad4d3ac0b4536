import Larder
import LarderRules
import NIOConcurrencyHelpers

/// The requests that take a connection of each origin, so that one that nobody waits for makes room for one that
/// somebody does.
final class OriginLoad: Sendable {
    /// A request that takes a connection, from before it is sent until its response is read or dropped.
    final class Slot: Sendable {
        fileprivate let id: UInt64
        private let origin: OriginAddress
        private let load: OriginLoad

        fileprivate init(_ id: UInt64, _ origin: OriginAddress, _ load: OriginLoad) {
            (self.id, self.origin, self.load) = (id, origin, load)
        }

        deinit { load.leave(id, origin) }
    }

    private struct Requests {
        var all: Set<UInt64> = []
        /// The fetches whose first request has left, the oldest first. Others may still wait for them.
        var left: [(id: UInt64, fetch: BackgroundFetch)] = []
        /// The requests that were ended to make room, and are not over yet.
        var abandoned: Set<UInt64> = []

        mutating func remove(_ id: UInt64) {
            all.remove(id)
            abandoned.remove(id)
            left.removeAll { $0.id == id }
        }
    }

    private struct State {
        var origins: [OriginAddress: Requests] = [:]
        var last: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())
    private let limit: Int

    /// - Parameter limit: The number of requests that an origin takes at a time; others wait.
    init(limit: Int) { self.limit = limit }

    /// Counts a request for as long as its slot is kept.
    /// - Parameter fetch: The fetch that the request belongs to; nil if it ends with its client.
    func enter(_ origin: OriginAddress, _ fetch: BackgroundFetch?) -> Slot {
        let id = state.withLockedValue { state in
            state.last &+= 1
            state.origins[origin, default: Requests()].all.insert(state.last)
            return state.last
        }
        if let fetch {
            fetch.onLeave { [weak self] in self?.noteLeft(fetch, id, origin) }
            if !fetch.isAwaited { noteLeft(fetch, id, origin) }
        }
        makeRoom(at: origin)
        return Slot(id, origin, self)
    }

    private func leave(_ id: UInt64, _ origin: OriginAddress) {
        state.withLockedValue { state in
            state.origins[origin]?.remove(id)
            if state.origins[origin]?.all.isEmpty == true { state.origins[origin] = nil }
        }
    }

    private func noteLeft(_ fetch: BackgroundFetch, _ id: UInt64, _ origin: OriginAddress) {
        state.withLockedValue { state in
            guard let requests = state.origins[origin], requests.all.contains(id),
                !requests.left.contains(where: { $0.id == id })
            else { return }
            state.origins[origin]?.left.append((id, fetch))
        }
        makeRoom(at: origin)
    }

    /// Ends as many fetches that no request waits for as there are more requests than the origin takes.
    private func makeRoom(at origin: OriginAddress) {
        let (excess, left) = state.withLockedValue { state in
            guard let requests = state.origins[origin] else { return (0, [(id: UInt64, fetch: BackgroundFetch)]()) }
            return (requests.all.count - requests.abandoned.count - limit, requests.left)
        }
        guard excess > 0 else { return }
        for (id, fetch) in left.lazy.filter({ !$0.fetch.isAwaited }).prefix(excess) {
            let isUnderWay = state.withLockedValue { state in
                guard state.origins[origin]?.all.contains(id) == true else { return false }
                state.origins[origin]?.left.removeAll { $0.id == id }
                return state.origins[origin]?.abandoned.insert(id).inserted == true
            }
            if isUnderWay { fetch.abandon() }
        }
    }
}
