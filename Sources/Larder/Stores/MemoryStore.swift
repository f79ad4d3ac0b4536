public import HTTPCaching
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import Synchronization

/// Responses in the memory of this process: sharded, bounded in bytes with everything charged, and gone when the
/// process ends.
///
/// A hit takes one shard's lock and copies nothing. The log's lock is taken on a hit only where something was
/// invalidated since the entry was last found alive: a number tells. An invalidation removes what it kills, which it
/// finds by its scope (``ScopeIndex``), and compares nothing else: a little at once, more in the background.
public final class MemoryStore: CacheStore {
    /// The invalidations, and those of them whose entries have not been removed yet.
    private struct Log: Sendable {
        var log: InvalidationLog
        var removals = PendingRemovals()
    }

    /// A shard behind its lock.
    private final class LockedShard: Sendable {
        let state: NIOLockedValueBox<MemoryShard>

        init(limit: Int, variantLimit: Int) {
            state = NIOLockedValueBox(MemoryShard(limit: limit, variantLimit: variantLimit))
        }
    }

    /// The number of variants stored under one key, unless a store is made with another one.
    public static let defaultVariantLimit = 64

    public let entryLimit: ByteCount
    private let shards: [LockedShard]
    private let log: NIOLockedValueBox<Log>
    private let epoch: LogVersion.Epoch
    /// The ledger's number, published after the stamps that it counts: who loads a number sees its stamps.
    private let number = Atomic<UInt64>(0)
    private let clock: WallClock
    private let sweepInterval: Duration
    /// What was invalidated and is being removed in the background.
    private let sweeping = NIOLockedValueBox(Sweeping())
    private let tasks = BackgroundTasks()

    /// A store.
    /// - Parameters:
    ///   - limit: the bytes it may take, everything charged: keys, heads, bodies, and a measured constant an entry.
    ///   - entryLimit: the largest entry it takes, everything charged; by default a body of 1 MiB has room with its
    ///     head (``CacheEntry/limit(forBodiesOf:)``), and never more than a shard's part of the limit.
    ///   - shardCount: the number of locks; by default as many as the cores can use, and few enough that each shard has
    ///     room for 48 of the largest entries.
    ///   - logLimit: the memory of the invalidation log, 16 MiB by default. It remembers what was invalidated for the
    ///     sake of fetches under way, some 170,000 keys, paths and tags: a response that took longer to come than the
    ///     log reaches back is not stored. Stored responses do not depend on it.
    ///   - variantLimit: the number of variants stored under one key, 64 by default; beyond it the least recently used
    ///     one is evicted.
    ///   - sweepInterval: how often `run()` removes what is expired.
    ///   - clock: tells `run()` the time; a test's own where it moves it.
    public convenience init(
        limit: ByteCount,
        entryLimit: ByteCount = CacheEntry.limit(forBodiesOf: .mebibytes(1)),
        shardCount: Int? = nil,
        logLimit: ByteCount = .mebibytes(16),
        variantLimit: Int = MemoryStore.defaultVariantLimit,
        sweepInterval: Duration = .seconds(1),
        clock: WallClock = .system
    ) {
        self.init(
            limit: limit,
            entryLimit: entryLimit,
            shardCount: shardCount,
            stampLimit: logLimit.bytes / InvalidationLog.versionCost,
            variantLimit: variantLimit,
            sweepInterval: sweepInterval,
            clock: clock
        )
    }

    /// Creates a store whose log remembers `stampLimit` keys, paths and tags.
    package init(
        limit: ByteCount,
        entryLimit: ByteCount = CacheEntry.limit(forBodiesOf: .mebibytes(1)),
        shardCount: Int? = nil,
        stampLimit: Int,
        variantLimit: Int = MemoryStore.defaultVariantLimit,
        sweepInterval: Duration = .seconds(1),
        clock: WallClock = .system
    ) {
        precondition(limit.bytes > 0, "A memory store needs room for something")
        let wanted = min(entryLimit, limit)
        let shardCount = max(1, shardCount ?? Self.shardCount(limit: limit, entryLimit: wanted))
        self.entryLimit = Self.entryLimit(wanted, within: limit, shardCount: shardCount)
        self.shards = (0..<shardCount).map { _ in
            LockedShard(limit: limit.bytes / shardCount, variantLimit: max(1, variantLimit))
        }
        let log = InvalidationLog(limit: max(1, stampLimit))
        self.epoch = log.epoch
        self.log = NIOLockedValueBox(Log(log: log))
        self.clock = clock
        self.sweepInterval = sweepInterval
    }

    public func find(_ location: EntryLocation, at now: Timestamp) -> [CacheEntry]? {
        find(location, at: now, number: number.load(ordering: .acquiring))
    }

    private func find(_ location: EntryLocation, at now: Timestamp, number: UInt64) -> [CacheEntry]? {
        var dropped: [CacheEntry] = []
        return shard(of: location.key).state.withLockedValue { shard in
            shard.load(location.key, at: now, number: number, isAlive: judgeStored, dropping: &dropped)
        }
    }

    public func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        let number = number.load(ordering: .acquiring)
        let readVersion = LogVersion(epoch: epoch, number: number)
        let entries = find(location, at: now, number: number) ?? []
        // Of what is known beforehand, and of nothing else: any other invalidation would keep requests from sharing a
        // fetch that it does not concern.
        let scopes = location.scopes().map(\.fingerprint)
        let newestVersion = log.withLockedValue { $0.log.newestVersion(on: scopes) }
        return Lookup(entries: entries, readVersion: readVersion, newestVersion: newestVersion)
    }

    public func save(_ entry: CacheEntry, at now: Timestamp) async -> Verdict {
        var dropped: [CacheEntry] = []
        return shard(of: entry.location.key).state.withLockedValue { shard in
            // Judged under the shard's lock: an invalidation that comes later finds the entry in the shard.
            let verdict = judge(entry.readVersion, fingerprints: entry.scopes)
            guard verdict.isAlive else { return verdict }
            if entry.cost <= entryLimit.bytes {
                shard.save(entry, at: now, number: verdict.said.number, dropping: &dropped)
            } else {
                // What it would replace is not the newest any more.
                shard.remove(entry.location.key, dropping: &dropped)
            }
            return verdict
        }
    }

    public func discard(_ entry: CacheEntry) async {
        var dropped: [CacheEntry] = []
        shard(of: entry.location.key).state.withLockedValue { $0.discard(entry, dropping: &dropped) }
    }

    public func judge(_ readVersion: LogVersion, scopes: [InvalidationScope]) async -> Verdict {
        judge(readVersion, fingerprints: scopes.map(\.fingerprint))
    }

    @discardableResult
    public func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        let number = version(scopes)
        await removeInvalidated(scopes, number: number)
        return .acknowledged
    }

    @discardableResult
    public func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult {
        // Another spelling of the key may be in any shard.
        let scope = InvalidationScope.key(key).fingerprint
        let removed = shards.reduce(0) { count, shard in
            count + shard.state.withLockedValue { $0.count(of: scope, at: now, isAlive: judgeStored) }
        }
        await invalidate([.key(key)])
        return RemovalResult(removed: removed, invalidation: .acknowledged)
    }

    public func count(at now: Timestamp) async -> Int {
        shards.reduce(0) { count, shard in count + shard.state.withLockedValue { $0.count(at: now) } }
    }

    /// Removes what is expired, and what the ledger has forgotten the stamps of, again and again, until the service is
    /// shut down.
    public func run() async {
        defer { tasks.cancelAll() }
        await cancelWhenGracefulShutdown {
            while true {
                do { try await self.clock.sleep(for: self.sweepInterval) } catch { return }
                await self.removeUnusable(at: self.clock.now)
            }
        }
    }

    /// The bytes taken of the limit.
    public var size: ByteCount {
        .bytes(shards.reduce(0) { size, shard in size + shard.state.withLockedValue { $0.bytes } })
    }

    /// Stamps covers, and returns their number.
    private func version(_ scopes: [InvalidationScope]) -> UInt64 {
        let fingerprints = scopes.map(\.fingerprint)
        return log.withLockedValue { log in
            log.removals.begin(log.log.number + 1)
            log.log.version(fingerprints, removedBefore: log.removals.oldest ?? .max)
            number.store(log.log.number, ordering: .releasing)
            return log.log.number
        }
    }

    /// Compares an entry that is in a shard.
    private func judgeStored(_ entry: CacheEntry) -> Verdict {
        log.withLockedValue {
            Verdict(isAlive: $0.log.isValid(stored: entry.readVersion, scopes: entry.scopes), said: $0.log.readVersion)
        }
    }

    /// Compares what is in no shard yet.
    private func judge(_ readVersion: LogVersion, fingerprints: [InvalidationScope.Fingerprint]) -> Verdict {
        log.withLockedValue {
            Verdict(isAlive: $0.log.isAlive(readVersion, scopes: fingerprints), said: $0.log.readVersion)
        }
    }

    private func shard(of key: CacheKey) -> LockedShard {
        shards.count == 1 ? shards[0] : shards[Int(UInt(bitPattern: key.hash) % UInt(shards.count))]
    }

    /// Returns the limit of entries that a store of this size has if it is made for entries up to `wanted`.
    /// - Parameter shardCount: The number of locks, as in the initialiser.
    public static func entryLimit(
        _ wanted: ByteCount,
        within limit: ByteCount,
        shardCount: Int? = nil
    ) -> ByteCount {
        let wanted = min(wanted, limit)
        let count = max(1, shardCount ?? Self.shardCount(limit: limit, entryLimit: wanted))
        return min(wanted, .bytes(limit.bytes / count))
    }

    private static func shardCount(limit: ByteCount, entryLimit: ByteCount) -> Int {
        let byCores = 4 * System.coreCount
        let bySize = limit.bytes / 48 / max(1, entryLimit.bytes)
        return max(1, min(byCores, bySize))
    }
}

// MARK: - Removing what is not used any more

/// What was invalidated and is not removed yet. It is never found in between: a find compares with the ledger.
private struct Sweeping: Sendable {
    /// The keys, paths, prefixes and tags whose entries are to be removed.
    var scopes: Set<InvalidationScope.Fingerprint> = []
    /// True if everything born before the last invalidation of everything is to be removed.
    var removesForgotten = false
    /// The numbers of the invalidations that this is for.
    var numbers: [UInt64] = []
    var isRunning = false

    var isEmpty: Bool { scopes.isEmpty && !removesForgotten }
}

extension MemoryStore {
    /// The most scopes that wait to be swept; beyond it, whoever invalidates more waits for the sweep.
    private static var pendingLimit: Int { 10_000 }

    /// Removes what an invalidation of the covers killed: at once if that is little, else in the background.
    private func removeInvalidated(_ scopes: [InvalidationScope], number: UInt64) async {
        // What one request does for it, whatever there is to remove.
        var budget = MemoryShard.batchLimit
        var left = Sweeping()
        for scope in scopes {
            switch scope {
            // A key stands for all its spellings, each of which is stored by itself.
            case .key, .path, .prefix, .tag:
                let scope = scope.fingerprint
                if !remove(&budget, { removeInvalidated(scope, in: $0, limit: $1) }) { left.scopes.insert(scope) }
            case .everything:
                if !remove(&budget, removeForgotten) { left.removesForgotten = true }
            }
        }
        guard !left.isEmpty else { return finishRemovals([number]) }
        let isTooMuch = sweeping.withLockedValue { sweeping in
            sweeping.scopes.formUnion(left.scopes)
            sweeping.removesForgotten = sweeping.removesForgotten || left.removesForgotten
            sweeping.numbers.append(number)
            return sweeping.scopes.count > Self.pendingLimit
        }
        let sweep = tasks.start { [weak self] in await self?.sweep() }
        if isTooMuch { await sweep.value }
    }

    /// Removes what waits to be removed, unless that is being done.
    private func sweep() async {
        let isFirst = sweeping.withLockedValue { sweeping in
            defer { sweeping.isRunning = true }
            return !sweeping.isRunning
        }
        guard isFirst else { return }
        while !Task.isCancelled, let next = nextSweep() {
            for scope in next.scopes { await removeAll { self.removeInvalidated(scope, in: $0, limit: $1) } }
            if next.removesForgotten { await removeForgotten() }
            if !Task.isCancelled { finishRemovals(next.numbers) }
        }
        if Task.isCancelled { sweeping.withLockedValue { $0.isRunning = false } }
    }

    /// What waits to be removed; nil, and the sweep is over, if nothing does.
    private func nextSweep() -> Sweeping? {
        sweeping.withLockedValue { sweeping in
            defer { sweeping = Sweeping(isRunning: !sweeping.isEmpty) }
            return sweeping.isEmpty ? nil : sweeping
        }
    }

    private func finishRemovals(_ numbers: [UInt64]) {
        log.withLockedValue { log in
            for number in numbers { log.removals.finish(number) }
        }
    }

    /// Removes what belongs to a scope in a shard and is dead.
    private func removeInvalidated(
        _ scope: InvalidationScope.Fingerprint,
        in shard: LockedShard,
        limit: Int
    ) -> MemoryShard.Progress {
        // What is let go of, is let go of outside the lock.
        var dropped: [CacheEntry] = []
        return shard.state.withLockedValue { shard in
            shard.removeInvalidated(scope, limit: limit, isAlive: judgeStored, dropping: &dropped)
        }
    }

    /// Removes what was born before everything was invalidated last, or before what the ledger remembers.
    private func removeForgotten(in shard: LockedShard, limit: Int) -> MemoryShard.Progress {
        let everything = CollectionOfOne(InvalidationScope.everything.fingerprint)
        let floor = log.withLockedValue { $0.log.newestVersion(onStored: everything) }
        var dropped: [CacheEntry] = []
        return shard.state.withLockedValue { $0.removeBorn(before: floor, limit: limit, dropping: &dropped) }
    }

    private func removeForgotten() async { await removeAll(removeForgotten) }

    /// Works through the shards, one hold of a lock each, until the budget is spent; whether all are through.
    private func remove(_ budget: inout Int, _ work: (LockedShard, _ limit: Int) -> MemoryShard.Progress) -> Bool {
        for shard in shards {
            guard budget > 0 else { return false }
            let progress = work(shard, budget)
            budget -= progress.compared
            guard progress.isThrough else { return false }
        }
        return true
    }

    /// Works through the shards to the end, in batches between which others have their turn.
    private func removeAll(_ work: (LockedShard, _ limit: Int) -> MemoryShard.Progress) async {
        for shard in shards {
            while !Task.isCancelled, !work(shard, MemoryShard.batchLimit).isThrough { await Task.yield() }
        }
    }

    /// Removes what is expired, and what the ledger has forgotten the stamps of.
    package func removeUnusable(at now: Timestamp) async {
        await removeExpired(at: now)
        await removeForgotten()
    }

    private func removeExpired(at now: Timestamp) async {
        for shard in shards {
            var removed = MemoryShard.batchLimit
            while removed == MemoryShard.batchLimit, !Task.isCancelled {
                var dropped: [CacheEntry] = []
                removed = shard.state.withLockedValue { $0.removeExpired(at: now, dropping: &dropped) }
                await Task.yield()
            }
        }
    }

    /// Waits until what was invalidated is removed; for tests.
    package func idle() async { await tasks.drain() }
}

extension MemoryStore {
    /// Traps where the shards or the ledger disagree with themselves; for tests.
    package func validate() {
        for shard in shards { shard.state.withLockedValue { $0.validate() } }
        log.withLockedValue { log in
            log.log.validate()
            log.removals.validate()
        }
    }
}
