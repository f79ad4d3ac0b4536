public import HTTPCaching
public import Larder
import NIOConcurrencyHelpers
import ServiceLifecycle

/// A store that fails, hangs or answers late when a test says so, and otherwise does what another store does.
///
/// ```swift
/// let store = UnreliableStore(MemoryStore(limit: .mebibytes(16)))
/// let cache = ResponseCache(store: store)
/// store.condition = .unavailable
/// ```
/// It fails as every store has to: look-ups find nothing, nothing is stored, and invalidations stay queued. They are
/// delivered before anything else once the store can be reached again.
public final class UnreliableStore: CacheStore {
    /// The way in which the store answers calls.
    public enum Condition: Hashable, Sendable {
        /// Calls are answered by the other store.
        case available
        /// Calls are answered at once, as by a store whose server cannot be reached.
        case unavailable
        /// Calls wait until the condition changes, and are then answered by the new one. The cache waits as well: it
        /// trusts a store to answer in time (``/Larder/CacheStore``). Cancelling a task does not end its call.
        case hanging
        /// Calls are answered by the other store after a time by the clock.
        case slow(Duration)
    }

    private struct State {
        var condition: Condition
        var hanging: [CheckedContinuation<Void, Never>] = []
        var watching: [(calls: Int, continuation: CheckedContinuation<Void, Never>)] = []
        /// The invalidations that the other store has not been told of, by number.
        var outbox: [(number: UInt64, scopes: [InvalidationScope])] = []
        var lastNumber: UInt64 = 0
        var lastCount = 0
    }

    private let store: any CacheStore
    private let clock: WallClock
    private let state: NIOLockedValueBox<State>
    /// A version that no log has: that of look-ups which could not read the log.
    private let unknownVersion = LogVersion(epoch: .new(), number: 0)

    /// Creates a store.
    /// - Parameters:
    ///   - store: The store that answers while this one can be reached.
    ///   - condition: The condition at the beginning.
    ///   - clock: The clock that a slow store waits by.
    public init(_ store: any CacheStore, condition: Condition = .available, clock: WallClock = .system) {
        self.store = store
        self.clock = clock
        self.state = NIOLockedValueBox(State(condition: condition))
    }

    /// The way in which the store answers calls from now on. Calls that hang continue under a new condition.
    public var condition: Condition {
        get { state.withLockedValue { $0.condition } }
        set {
            let released = state.withLockedValue { state in
                state.condition = newValue
                guard newValue != .hanging else { return [CheckedContinuation<Void, Never>]() }
                defer { state.hanging = [] }
                return state.hanging
            }
            for continuation in released { continuation.resume() }
        }
    }

    /// The number of calls that hang now.
    public var hangingCalls: Int { state.withLockedValue { $0.hanging.count } }

    /// Waits until at least a number of calls hang, one by default.
    public func waitUntilHanging(calls: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isReached = state.withLockedValue { state in
                if state.hanging.count >= calls { return true }
                state.watching.append((calls, continuation))
                return false
            }
            if isReached { continuation.resume() }
        }
    }

    /// The number of invalidations that wait until the store can be reached.
    public var pendingInvalidations: Int { state.withLockedValue { $0.outbox.count } }

    public var entryLimit: ByteCount { store.entryLimit }

    public var isAvailable: Bool { condition != .unavailable && store.isAvailable }

    /// Runs the other store's background work.
    public func run() async throws { try await store.run() }
}

// MARK: - Answering calls

extension UnreliableStore {
    public func find(_ location: EntryLocation, at now: Timestamp) -> [CacheEntry]? {
        let isAtHand = state.withLockedValue { $0.condition == .available && $0.outbox.isEmpty }
        return isAtHand ? store.find(location, at: now) : nil
    }

    public func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        guard await isReached() else { return .unknown(at: unknownVersion) }
        return await store.load(location, for: query, at: now)
    }

    public func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity {
        guard await isReached(), entry.readVersion != unknownVersion else { return .unknown(at: unknownVersion) }
        return await store.save(entry, at: now)
    }

    public func discard(_ entry: CacheEntry) async {
        if await isReached() { await store.discard(entry) }
    }

    public func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
        guard await isReached(), readVersion != unknownVersion else { return .unknown(at: unknownVersion) }
        return await store.validity(of: readVersion, scopes: scopes)
    }

    @discardableResult
    public func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        guard await isReached() else { return queue(scopes) }
        return await store.invalidate(scopes)
    }

    @discardableResult
    public func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult {
        guard await isReached() else { return RemovalResult(removed: nil, invalidation: queue([.key(key)])) }
        return await store.remove(key, at: now)
    }

    public func count(at now: Timestamp) async -> Int {
        guard await isReached() else { return state.withLockedValue { $0.lastCount } }
        let count = await store.count(at: now)
        state.withLockedValue { $0.lastCount = count }
        return count
    }

    /// True if the other store lists its keys.
    public var listsKeys: Bool { store.listsKeys }

    /// Returns a part of the keys of the other store; nil while it cannot be reached.
    public func keys(
        matching filter: EntryFilter,
        from cursor: String?,
        upTo limit: Int,
        at now: Timestamp
    ) async -> KeyPage? {
        guard await isReached() else { return nil }
        return await store.keys(matching: filter, from: cursor, upTo: limit, at: now)
    }

    /// Returns the responses of the other store under a key; nil while it cannot be reached.
    public func entries(under key: CacheKey, at now: Timestamp) async -> [CacheEntry]? {
        guard await isReached() else { return nil }
        return await store.entries(under: key, at: now)
    }

    /// Ends the freshness of responses of the other store; nil while it cannot be reached.
    public func expire(_ key: CacheKey, matching filter: EntryFilter, at now: Timestamp) async -> Int? {
        guard await isReached() else { return nil }
        return await store.expire(key, matching: filter, at: now)
    }

    /// Waits as the condition demands, and delivers the invalidations that wait.
    /// - Returns: True if the other store is to be asked.
    private func isReached() async -> Bool {
        var hasWaited = false
        while true {
            switch condition {
            case .unavailable: return false
            case .hanging: await hang()
            case .slow(let delay) where !hasWaited:
                try? await clock.sleep(for: delay)
                hasWaited = true
            case .available, .slow:
                await deliver()
                return true
            }
        }
    }

    /// Waits until the condition is another one than ``Condition/hanging``.
    private func hang() async {
        await withCheckedContinuation { continuation in
            let (isHanging, watchers) = state.withLockedValue { state in
                guard state.condition == .hanging else { return (false, [CheckedContinuation<Void, Never>]()) }
                state.hanging.append(continuation)
                let count = state.hanging.count
                let watchers = state.watching.filter { $0.calls <= count }.map(\.continuation)
                state.watching.removeAll { $0.calls <= count }
                return (true, watchers)
            }
            for watcher in watchers { watcher.resume() }
            if !isHanging { continuation.resume() }
        }
    }

    private func queue(_ scopes: [InvalidationScope]) -> InvalidationResult {
        state.withLockedValue { state in
            state.lastNumber += 1
            state.outbox.append((state.lastNumber, scopes))
        }
        return .pending
    }

    /// Invalidates what waits to be invalidated. Concurrent calls may invalidate it several times: none of them goes on
    /// before it is done.
    private func deliver() async {
        let waiting = state.withLockedValue { $0.outbox }
        guard let last = waiting.last?.number else { return }
        await store.invalidate(waiting.flatMap(\.scopes))
        state.withLockedValue { state in state.outbox.removeAll { $0.number <= last } }
    }
}
