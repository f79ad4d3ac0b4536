import Larder
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The requests that take a connection of each origin, with rules that leave connections free whatever clients do.
///
/// - A fetch that no request waits for ends when a request waits for its connection.
/// - Requests with content get three quarters of the connections, since their clients determine how long they take.
/// - A response or content that waits for a slow client, because the spool does not have room for more of it, ends when
///   a request waits for its connection.
final class OriginLoad: Sendable {
    /// A request that takes a connection, from before it is sent until its response is received or dropped.
    final class Slot: Sendable {
        fileprivate let id: UInt64
        private let origin: OriginAddress
        private let load: OriginLoad

        fileprivate init(_ id: UInt64, _ origin: OriginAddress, _ load: OriginLoad) {
            (self.id, self.origin, self.load) = (id, origin, load)
        }

        deinit { end() }

        /// Notes that the response is received, so that the request does not take a connection any more.
        func end() { load.leave(id, origin) }

        /// Notes that the connection is taken for as long as the client takes.
        func noteWaiting(for client: SlowClient) { load.noteWaiting(id, for: client, origin) }
    }

    /// The requests that take or want a connection to one origin.
    private struct Requests {
        /// The requests that take a connection.
        var all: Set<UInt64> = []
        /// The fetches whose first request does not wait any more, in the order in which it stopped waiting. Other
        /// requests may still wait for them.
        var left: [(id: UInt64, fetch: BackgroundFetch)] = []
        /// The requests that were ended to make room, and have not finished yet.
        var abandoned: Set<UInt64> = []
        /// The requests with content.
        var withContent: Set<UInt64> = []
        /// The requests with content that wait for a connection, the oldest first, and the continuations that resume
        /// them.
        var queue: [(id: UInt64, wake: AsyncStream<Never>.Continuation)] = []
        /// The requests that take their connections for as long as their clients take.
        var waiting: [UInt64: SlowClient] = [:]
        /// True if a further check for a request to end is scheduled.
        var isCheckScheduled = false

        var isOver: Bool { all.isEmpty && queue.isEmpty }

        mutating func remove(_ id: UInt64) {
            all.remove(id)
            abandoned.remove(id)
            withContent.remove(id)
            waiting[id] = nil
            left.removeAll { $0.id == id }
        }
    }

    private struct State {
        var origins: [OriginAddress: Requests] = [:]
        var last: UInt64 = 0

        /// Counts a request with content.
        mutating func admit(_ id: UInt64, _ origin: OriginAddress) {
            origins[origin, default: Requests()].all.insert(id)
            origins[origin, default: Requests()].withContent.insert(id)
        }

        /// Counts the next waiting request with content, and returns the continuation that resumes it.
        mutating func admitNext(_ origin: OriginAddress, _ limit: Int) -> AsyncStream<Never>.Continuation? {
            guard let requests = origins[origin], requests.withContent.count < limit, let next = requests.queue.first
            else { return nil }
            origins[origin]?.queue.removeFirst()
            admit(next.id, origin)
            return next.wake
        }
    }

    private let state = NIOLockedValueBox(State())
    private let limit: Int
    /// The number of requests with content that may take a connection to one origin at the same time.
    private let contentLimit: Int

    /// Creates the load of all origins.
    /// - Parameter limit: The number of requests that may take a connection to one origin at the same time; others
    ///   wait.
    init(limit: Int) {
        self.limit = limit
        contentLimit = max(1, limit * 3 / 4)
    }

    /// Counts a request for as long as its slot is retained.
    /// - Parameter fetch: The fetch to which the request belongs; nil if the request ends with its client.
    func enter(_ origin: OriginAddress, _ fetch: BackgroundFetch?) -> Slot {
        let id = state.withLockedValue { state in
            state.last &+= 1
            state.origins[origin, default: Requests()].all.insert(state.last)
            return state.last
        }
        if let fetch {
            fetch.onLeave { [weak self] in self?.noteLeft(fetch, id, origin) }
            if !fetch.isWanted { noteLeft(fetch, id, origin) }
        }
        makeRoom(at: origin)
        return Slot(id, origin, self)
    }

    /// Waits for a connection for a request with content, and counts the request for as long as its slot is retained.
    /// - Parameter limit: The longest time that the request waits.
    /// - Throws: `connectionLimitReached` if no connection is free in time.
    func enterWithContent(
        _ origin: OriginAddress,
        within limit: Duration,
        by clock: WallClock
    ) async throws(UpstreamError) -> Slot {
        let (turn, wake) = AsyncStream.makeStream(of: Never.self)
        let (id, isIn) = state.withLockedValue { state in
            state.last &+= 1
            let isIn = state.origins[origin]?.withContent.count ?? 0 < contentLimit
            if isIn { state.admit(state.last, origin) } else { state.origins[origin]?.queue.append((state.last, wake)) }
            return (state.last, isIn)
        }
        if !isIn {
            endSlowClients(at: origin)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in turn {} }
                group.addTask { try? await clock.sleep(for: limit) }
                await group.next()
                group.cancelAll()
            }
            let isIn = state.withLockedValue { state in
                state.origins[origin]?.queue.removeAll { $0.id == id }
                return state.origins[origin]?.withContent.contains(id) == true
            }
            guard isIn else {
                if Task.isCancelled { throw UpstreamError(CancellationError()) }
                throw UpstreamError(
                    .connectionLimitReached,
                    "requests with content already use their share of the connections"
                )
            }
        }
        makeRoom(at: origin)
        return Slot(id, origin, self)
    }

    private func leave(_ id: UInt64, _ origin: OriginAddress) {
        let next = state.withLockedValue { state in
            state.origins[origin]?.remove(id)
            let next = state.admitNext(origin, contentLimit)
            if state.origins[origin]?.isOver == true { state.origins[origin] = nil }
            return next
        }
        next?.finish()
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

    /// Ends fetches that no request waits for, and requests that wait for their clients, as many as there are more
    /// requests than the origin takes.
    private func makeRoom(at origin: OriginAddress) {
        let (excess, left) = state.withLockedValue { state in
            guard let requests = state.origins[origin] else { return (0, [(id: UInt64, fetch: BackgroundFetch)]()) }
            return (requests.all.count - requests.abandoned.count - limit, requests.left)
        }
        for (id, fetch) in left.lazy.filter({ !$0.fetch.isWanted }).prefix(max(0, excess)) {
            let isUnderWay = state.withLockedValue { state in
                guard state.origins[origin]?.all.contains(id) == true else { return false }
                state.origins[origin]?.left.removeAll { $0.id == id }
                return state.origins[origin]?.abandoned.insert(id).inserted == true
            }
            if isUnderWay { fetch.abandon() }
        }
        endSlowClients(at: origin)
    }
}

// MARK: - Requests that wait for their clients

/// A client whose speed determines how long a request takes its connection.
struct SlowClient {
    /// The rate in bytes per second below which a client may lose its connection to the origin to a waiting request: 64
    /// KiB.
    static let rate = 64 << 10
    /// The shortest time over which the rate is measured: 2 seconds.
    static let time = TimeAmount.seconds(2)

    /// Returns the number of all bytes that the client has sent or read; nil if the request waits for something else.
    private let moved: @Sendable () -> Int?
    /// Ends the request.
    let end: @Sendable (UpstreamError) -> Void
    private var since: NIODeadline
    private var before: Int?

    init(
        at now: NIODeadline = .now(),
        moved: @escaping @Sendable () -> Int?,
        end: @escaping @Sendable (UpstreamError) -> Void
    ) {
        (self.moved, self.end) = (moved, end)
        since = now
        before = moved()
    }

    /// Returns the client's rate in bytes per second if it is low; otherwise returns nil, and the measurement starts
    /// again.
    mutating func slowRate(at now: NIODeadline) -> Double? {
        let time = now - since
        guard time >= Self.time else { return nil }
        let moved = moved()
        if let moved, let before {
            let rate = Double(moved - before) / (Double(time.nanoseconds) / 1e9)
            if rate < Double(Self.rate) { return rate }
        }
        (since, before) = (now, moved)
        return nil
    }
}

extension OriginLoad {
    fileprivate func noteWaiting(_ id: UInt64, for client: SlowClient, _ origin: OriginAddress) {
        let isNew = state.withLockedValue { state in
            guard state.origins[origin]?.all.contains(id) == true, state.origins[origin]?.waiting[id] == nil else {
                return false
            }
            state.origins[origin]?.waiting[id] = client
            return true
        }
        if isNew { makeRoom(at: origin) }
    }

    /// Ends requests that wait for their clients, as many as other requests wait, the slowest first.
    private func endSlowClients(at origin: OriginAddress) {
        let now = NIODeadline.now()
        let (slow, schedulesCheck) = state.withLockedValue { state -> ([SlowClient], Bool) in
            guard let requests = state.origins[origin] else { return ([], false) }
            var excess = requests.all.count - requests.abandoned.count - limit
            var late = requests.queue.count - requests.abandoned.intersection(requests.withContent).count
            let waiting = requests.waiting.keys.filter { !requests.abandoned.contains($0) }
            guard excess > 0 || late > 0, !waiting.isEmpty else { return ([], false) }
            let rates = waiting.compactMap { id -> (id: UInt64, rate: Double)? in
                (state.origins[origin]?.waiting[id]?.slowRate(at: now)).map { (id, $0) }
            }
            var slow: [SlowClient] = []
            for (id, _) in rates.sorted(by: { $0.rate < $1.rate }) {
                let hasContent = requests.withContent.contains(id)
                guard excess > 0 || late > 0 && hasContent else { continue }
                excess -= 1
                if hasContent { late -= 1 }
                state.origins[origin]?.abandoned.insert(id)
                if let client = requests.waiting[id] { slow.append(client) }
            }
            let schedulesCheck = (excess > 0 || late > 0) && !requests.isCheckScheduled
            if schedulesCheck { state.origins[origin]?.isCheckScheduled = true }
            return (slow, schedulesCheck)
        }
        for client in slow {
            client.end(.slowClient)
        }
        guard schedulesCheck else { return }
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .seconds(1)) { [weak self] in
            self?.state.withLockedValue { $0.origins[origin]?.isCheckScheduled = false }
            self?.makeRoom(at: origin)
        }
    }
}
