public import HTTPCaching
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import Synchronization

/// A store in the memory of this process: sharded, bounded in bytes with everything charged, and lost when the process
/// ends.
///
/// Small responses are packed into one block of bytes each, and those that were used lately are there as objects, too.
/// A hit takes one shard's lock, and copies nothing if the entry was used lately. It takes the log's lock only if
/// something was invalidated since the entry was last found valid, which a comparison of two numbers shows. An
/// invalidation finds the entries to remove by their scope (`ScopeIndex`) and compares no others: a few at once, more
/// in the background.
public final class MemoryStore: CacheStore {
    /// The invalidation log, and the invalidations whose entries have not been removed yet.
    private struct Log: Sendable {
        var log: InvalidationLog
        var removals = PendingRemovals()
    }

    /// A shard behind its lock.
    final class LockedShard: Sendable {
        let state: NIOLockedValueBox<MemoryShard>

        init(_ shard: MemoryShard) { state = NIOLockedValueBox(shard) }

        deinit { state.withLockedValue { $0.deallocateBlocks() } }
    }

    /// The number of variants stored under one key, unless a store is made with another one.
    public static let defaultVariantLimit = 64

    public let entryLimit: ByteCount
    let shards: [LockedShard]
    private let log: NIOLockedValueBox<Log>
    private let epoch: LogVersion.Epoch
    /// The number of the log's version, stored after the versions of the scopes: a thread that loads it sees those.
    private let number = Atomic<UInt64>(0)
    private let clock: WallClock
    private let sweepInterval: Duration
    /// The scopes that were invalidated and whose entries are being removed in the background.
    private let sweeping = NIOLockedValueBox(Sweeping())
    private let tasks = BackgroundTasks()

    /// Creates a store.
    /// - Parameters:
    ///   - limit: The size of the store in bytes, everything charged: keys, heads, bodies, and a measured constant for
    ///     each entry.
    ///   - entryLimit: The size of the largest entry, everything charged; by default a body of 1 MiB has room with its
    ///     head (``CacheEntry/limit(forBodiesOf:)``). It is never more than a shard's part of `limit`.
    ///   - shardCount: The number of locks; by default as many as the cores can use, and few enough that each shard has
    ///     room for 64 of the largest entries.
    ///   - logLimit: The memory of the invalidation log, 16 MiB by default. It has room for the versions of some
    ///     170,000 keys, paths and tags, which responses that are being fetched are compared with: a response is not
    ///     stored if its fetch began before the log's oldest version. Stored responses do not depend on it.
    ///   - variantLimit: The number of variants stored under one key, 64 by default; beyond it the least recently used
    ///     one is evicted.
    ///   - evicting: The way in which the store chooses the entries that it evicts when it is full, by default
    ///     ``EvictionMethod/byUse``.
    ///   - sweepInterval: The time between two removals of expired entries by `run()`, 1 second by default.
    ///   - clock: The clock of `run()`; a test can move its own.
    public convenience init(
        limit: ByteCount,
        entryLimit: ByteCount = CacheEntry.limit(forBodiesOf: .mebibytes(1)),
        shardCount: Int? = nil,
        logLimit: ByteCount = .mebibytes(16),
        variantLimit: Int = MemoryStore.defaultVariantLimit,
        evicting: EvictionMethod = .byUse,
        sweepInterval: Duration = .seconds(1),
        clock: WallClock = .system
    ) {
        self.init(
            limit: limit,
            entryLimit: entryLimit,
            shardCount: shardCount,
            versionLimit: logLimit.bytes / InvalidationLog.versionCost,
            variantLimit: variantLimit,
            evicting: evicting,
            sweepInterval: sweepInterval,
            clock: clock
        )
    }

    /// Creates a store whose log has room for the versions of `versionLimit` keys, paths and tags.
    /// - Parameter chargesOverhead: False if an entry's cost is the size of its body; for tests of hit ratios.
    package init(
        limit: ByteCount,
        entryLimit: ByteCount = CacheEntry.limit(forBodiesOf: .mebibytes(1)),
        shardCount: Int? = nil,
        versionLimit: Int,
        variantLimit: Int = MemoryStore.defaultVariantLimit,
        evicting: EvictionMethod = .byUse,
        chargesOverhead: Bool = true,
        sweepInterval: Duration = .seconds(1),
        clock: WallClock = .system
    ) {
        precondition(limit.bytes > 0, "The limit of a memory store must be greater than 0 bytes")
        let wanted = min(entryLimit, limit)
        let shardCount = max(1, shardCount ?? Self.shardCount(limit: limit, entryLimit: wanted))
        self.entryLimit = Self.entryLimit(wanted, within: limit, shardCount: shardCount)
        self.shards = (0..<shardCount).map { _ in
            LockedShard(
                MemoryShard(
                    limit: limit.bytes / shardCount,
                    variantLimit: max(1, variantLimit),
                    eviction: evicting,
                    chargesOverhead: chargesOverhead
                )
            )
        }
        let log = InvalidationLog(limit: max(1, versionLimit))
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
            shard.load(location.key, at: now, number: number, isValid: validityOfStored, dropping: &dropped)
        }
    }

    public func load(_ location: EntryLocation, for query: VariantQuery?, at now: Timestamp) async -> Lookup {
        let number = number.load(ordering: .acquiring)
        let readVersion = LogVersion(epoch: epoch, number: number)
        let entries = find(location, at: now, number: number) ?? []
        // Only scopes that are known to concern the location count: any other invalidation would keep requests from
        // sharing a fetch that it does not concern.
        let scopes = location.scopes().map(\.fingerprint)
        let newestVersion = log.withLockedValue { $0.log.newestVersion(on: scopes) }
        return Lookup(entries: entries, readVersion: readVersion, newestVersion: newestVersion)
    }

    public func save(_ entry: CacheEntry, at now: Timestamp) async -> Validity {
        var dropped: [CacheEntry] = []
        return shard(of: entry.location.key).state.withLockedValue { shard in
            // Compared under the shard's lock: a later invalidation finds the entry in the shard.
            let validity = validity(of: entry.readVersion, fingerprints: entry.scopes)
            guard validity.isValid else { return validity }
            if entry.cost <= entryLimit.bytes {
                shard.save(entry, at: now, number: validity.checkedVersion.number, dropping: &dropped)
            } else {
                // The entry that it would replace is not the newest any more.
                shard.remove(entry.location.key, dropping: &dropped)
            }
            return validity
        }
    }

    public func discard(_ entry: CacheEntry) async {
        var dropped: [CacheEntry] = []
        shard(of: entry.location.key).state.withLockedValue { $0.discard(entry, dropping: &dropped) }
    }

    public func validity(of readVersion: LogVersion, scopes: [InvalidationScope]) async -> Validity {
        validity(of: readVersion, fingerprints: scopes.map(\.fingerprint))
    }

    @discardableResult
    public func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        let number = noteInvalidation(of: scopes)
        await removeInvalidated(scopes, number: number)
        return .acknowledged
    }

    @discardableResult
    public func remove(_ key: CacheKey, at now: Timestamp) async -> RemovalResult {
        // Another spelling of the key may be in any shard.
        let scope = InvalidationScope.key(key).fingerprint
        let removed = shards.reduce(0) { count, shard in
            count + shard.state.withLockedValue { $0.count(of: scope, at: now, isValid: validityOfStored) }
        }
        await invalidate([.key(key)])
        return RemovalResult(removed: removed, invalidation: .acknowledged)
    }

    public func count(at now: Timestamp) async -> Int {
        shards.reduce(0) { count, shard in count + shard.state.withLockedValue { $0.count(at: now) } }
    }

    /// Removes expired entries, and entries older than the log's floor, at each sweep interval until the service is
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

    /// Adds the invalidation of scopes to the log, and returns its version.
    private func noteInvalidation(of scopes: [InvalidationScope]) -> UInt64 {
        let fingerprints = scopes.map(\.fingerprint)
        return log.withLockedValue { log in
            log.removals.begin(log.log.number + 1)
            log.log.invalidate(fingerprints, removedBefore: log.removals.oldest ?? .max)
            number.store(log.log.number, ordering: .releasing)
            return log.log.number
        }
    }

    /// Compares an entry that is in a shard with the log.
    func validityOfStored(_ entry: MemoryShard.ComparedEntry) -> Validity {
        log.withLockedValue {
            Validity(
                isValid: $0.log.isValid(stored: entry.readVersion, scopes: entry.scopes),
                checkedVersion: $0.log.readVersion
            )
        }
    }

    /// Compares an entry that is not in a shard with the log.
    private func validity(of readVersion: LogVersion, fingerprints: [InvalidationScope.Fingerprint]) -> Validity {
        log.withLockedValue {
            Validity(isValid: $0.log.isValid(readVersion, scopes: fingerprints), checkedVersion: $0.log.readVersion)
        }
    }

    /// The shards are chosen by the upper half of the hash, and the slots of a shard by the lower half.
    func shard(of key: CacheKey) -> LockedShard {
        shards.count == 1 ? shards[0] : shards[Int((UInt(bitPattern: key.hash) >> 32) % UInt(shards.count))]
    }
}

// MARK: - Removing unusable entries

/// The invalidated entries that are not removed yet. A look-up does not find them: it compares entries with the log.
private struct Sweeping: Sendable {
    /// The keys, paths, prefixes and tags whose entries are to be removed.
    var scopes: Set<InvalidationScope.Fingerprint> = []
    /// True if the outdated entries are to be removed: those older than the last invalidation of everything.
    var removesOutdated = false
    /// The versions of the invalidations that this is for.
    var numbers: [UInt64] = []
    var isRunning = false

    var isEmpty: Bool { scopes.isEmpty && !removesOutdated }
}

extension MemoryStore {
    /// The number of scopes that wait to be swept; beyond it, an invalidation waits for the sweep.
    private static var pendingLimit: Int { 10_000 }

    /// Removes the entries that an invalidation of scopes has made invalid: at once if they are few, else in the
    /// background.
    private func removeInvalidated(_ scopes: [InvalidationScope], number: UInt64) async {
        // The number of entries that one request compares for it, however many there are to remove.
        var budget = MemoryShard.batchLimit
        var left = Sweeping()
        for scope in scopes {
            switch scope {
            // A key stands for all its spellings, each of which is stored by itself.
            case .key, .path, .prefix, .tag:
                let scope = scope.fingerprint
                if !remove(&budget, { removeInvalidated(scope, in: $0, limit: $1) }) { left.scopes.insert(scope) }
            case .everything:
                if !remove(&budget, removeOutdated) { left.removesOutdated = true }
            }
        }
        guard !left.isEmpty else { return finishRemovals([number]) }
        let isTooMuch = sweeping.withLockedValue { sweeping in
            sweeping.scopes.formUnion(left.scopes)
            sweeping.removesOutdated = sweeping.removesOutdated || left.removesOutdated
            sweeping.numbers.append(number)
            return sweeping.scopes.count > Self.pendingLimit
        }
        let sweep = tasks.start { [weak self] in await self?.sweep() }
        if isTooMuch { await sweep.value }
    }

    /// Removes the entries that wait to be removed, unless another task does.
    private func sweep() async {
        let isFirst = sweeping.withLockedValue { sweeping in
            defer { sweeping.isRunning = true }
            return !sweeping.isRunning
        }
        guard isFirst else { return }
        while !Task.isCancelled, let next = nextSweep() {
            for scope in next.scopes { await removeAll { self.removeInvalidated(scope, in: $0, limit: $1) } }
            if next.removesOutdated { await removeOutdated() }
            if !Task.isCancelled { finishRemovals(next.numbers) }
        }
        if Task.isCancelled { sweeping.withLockedValue { $0.isRunning = false } }
    }

    /// Returns the scopes that wait to be removed; ends the sweep and returns nil if there are none.
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

    /// Removes the invalid entries of a scope in a shard.
    private func removeInvalidated(
        _ scope: InvalidationScope.Fingerprint,
        in shard: LockedShard,
        limit: Int
    ) -> MemoryShard.Progress {
        // The removed entries are released outside the lock.
        var dropped: [CacheEntry] = []
        if scope == MemoryShard.root {
            let number = log.withLockedValue { $0.log.newestVersion(onStored: CollectionOfOne(scope)) }
            let progress = shard.state.withLockedValue {
                $0.removeEntriesWithPaths(readBefore: number, limit: limit, dropping: &dropped)
            }
            guard progress.isComplete else { return progress }
        }
        return shard.state.withLockedValue { shard in
            shard.removeInvalidated(scope, limit: limit, isValid: validityOfStored, dropping: &dropped)
        }
    }

    /// Removes outdated entries: those older than the last invalidation of everything, or than the log's floor.
    private func removeOutdated(in shard: LockedShard, limit: Int) -> MemoryShard.Progress {
        let everything = CollectionOfOne(InvalidationScope.everything.fingerprint)
        let floor = log.withLockedValue { $0.log.newestVersion(onStored: everything) }
        var dropped: [CacheEntry] = []
        return shard.state.withLockedValue { $0.removeEntries(readBefore: floor, limit: limit, dropping: &dropped) }
    }

    private func removeOutdated() async { await removeAll(removeOutdated) }

    /// Runs work on the shards, one hold of a lock each, until the budget is spent. Returns true if all are through.
    private func remove(_ budget: inout Int, _ work: (LockedShard, _ limit: Int) -> MemoryShard.Progress) -> Bool {
        for shard in shards {
            guard budget > 0 else { return false }
            let progress = work(shard, budget)
            budget -= progress.compared
            guard progress.isComplete else { return false }
        }
        return true
    }

    /// Runs work on the shards to the end, in batches between which other tasks can run.
    private func removeAll(_ work: (LockedShard, _ limit: Int) -> MemoryShard.Progress) async {
        for shard in shards {
            while !Task.isCancelled, !work(shard, MemoryShard.batchLimit).isComplete { await Task.yield() }
        }
    }

    /// Removes expired entries, and entries older than the log's floor.
    package func removeUnusable(at now: Timestamp) async {
        await removeExpired(at: now)
        await removeOutdated()
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

    /// Waits until invalidated entries are removed; for tests.
    package func idle() async { await tasks.drain() }
}

extension MemoryStore {
    /// Traps if the shards or the log are inconsistent; for tests.
    package func validate() {
        for shard in shards { shard.state.withLockedValue { $0.validate() } }
        log.withLockedValue { log in
            log.log.validate()
            log.removals.validate()
        }
    }
}
