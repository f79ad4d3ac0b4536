public import HTTPCaching
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import Synchronization

/// Responses in the memory of this process: sharded, bounded in bytes with everything charged, and gone when the
/// process ends.
///
/// A hit takes one shard's lock and copies nothing. The ledger's lock is taken on a hit only where something was
/// invalidated since the entry was last found alive: a number tells.
public final class MemoryStore: CacheStore {
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
    private let ledger: NIOLockedValueBox<Ledger>
    private let epoch: Birth.Epoch
    /// The ledger's number, published after the stamps that it counts: who loads a number sees its stamps.
    private let number = Atomic<UInt64>(0)
    private let clock: WallClock
    private let sweepInterval: Duration

    /// A store.
    /// - Parameters:
    ///   - limit: the bytes it may take, everything charged: keys, heads, bodies, and a measured constant an entry.
    ///   - entryLimit: the largest entry it takes; by default 1 MiB, and never more than the limit.
    ///   - shardCount: the number of locks; by default as many as the cores can use, and few enough that each shard has
    ///     room for 64 of the largest entries.
    ///   - stampLimit: the number of invalidated keys, paths and tags remembered; beyond it the oldest are forgotten,
    ///     and everything stored before them is dead.
    ///   - variantLimit: the number of variants stored under one key, 64 by default; beyond it the least recently used
    ///     one is evicted.
    ///   - sweepInterval: how often `run()` removes what is expired or was invalidated.
    ///   - clock: tells `run()` the time; a test's own where it moves it.
    public init(
        limit: ByteCount,
        entryLimit: ByteCount = .mebibytes(1),
        shardCount: Int? = nil,
        stampLimit: Int = 10_000,
        variantLimit: Int = MemoryStore.defaultVariantLimit,
        sweepInterval: Duration = .seconds(1),
        clock: WallClock = .system
    ) {
        precondition(limit.bytes > 0, "A memory store needs room for something")
        let entryLimit = min(entryLimit, limit)
        let shardCount = max(1, shardCount ?? Self.shardCount(limit: limit, entryLimit: entryLimit))
        self.entryLimit = min(entryLimit, .bytes(limit.bytes / shardCount))
        self.shards = (0..<shardCount).map { _ in
            LockedShard(limit: limit.bytes / shardCount, variantLimit: max(1, variantLimit))
        }
        let ledger = Ledger(limit: max(1, stampLimit))
        self.epoch = ledger.epoch
        self.ledger = NIOLockedValueBox(ledger)
        self.clock = clock
        self.sweepInterval = sweepInterval
    }

    public func find(_ address: CacheAddress, at now: Timestamp) -> [CacheEntry]? {
        find(address, at: now, number: number.load(ordering: .acquiring))
    }

    private func find(_ address: CacheAddress, at now: Timestamp, number: UInt64) -> [CacheEntry]? {
        var dropped: [CacheEntry] = []
        return shard(of: address.key).state.withLockedValue { shard in
            shard.load(address.key, at: now, number: number, isAlive: judge, dropping: &dropped)
        }
    }

    public func load(_ address: CacheAddress, at now: Timestamp) async -> Lookup {
        let number = number.load(ordering: .acquiring)
        let birth = Birth(epoch: epoch, number: number)
        if let entries = find(address, at: now, number: number) {
            return Lookup(entries: entries, birth: birth, newestStamp: number)
        }
        let covers = address.covers().map(\.fingerprint)
        let newestStamp = ledger.withLockedValue { $0.newestStamp(on: covers) }
        return Lookup(entries: [], birth: birth, newestStamp: newestStamp)
    }

    public func save(_ entry: CacheEntry, at now: Timestamp) async -> Verdict {
        let verdict = judge(entry)
        guard verdict.isAlive else { return verdict }
        var dropped: [CacheEntry] = []
        shard(of: entry.address.key).state.withLockedValue { shard in
            if entry.cost <= entryLimit.bytes {
                shard.save(entry, at: now, number: verdict.said.number, dropping: &dropped)
            } else {
                // What it would replace is not the newest any more.
                shard.remove(entry.address.key, dropping: &dropped)
            }
        }
        return verdict
    }

    public func discard(_ entry: CacheEntry) async {
        var dropped: [CacheEntry] = []
        shard(of: entry.address.key).state.withLockedValue { $0.discard(entry, dropping: &dropped) }
    }

    public func judge(_ birth: Birth, covers: [Cover]) async -> Verdict {
        judge(birth, fingerprints: covers.map(\.fingerprint))
    }

    public func invalidate(_ covers: [Cover]) async {
        stamp(covers)
    }

    public func remove(_ key: CacheKey, at now: Timestamp) async -> Bool {
        var dropped: [CacheEntry] = []
        let wasKept = shard(of: key).state.withLockedValue { shard in
            shard.remove(key, at: now, isAlive: judge, dropping: &dropped)
        }
        stamp([.key(key)])
        return wasKept
    }

    public func count(at now: Timestamp) async -> Int {
        removeUnusable(at: now)
        return shards.reduce(0) { count, shard in count + shard.state.withLockedValue { $0.count } }
    }

    /// Removes what is expired or was invalidated, again and again, until the service is shut down.
    public func run() async {
        await cancelWhenGracefulShutdown {
            while true {
                do { try await self.clock.sleep(for: self.sweepInterval) } catch { return }
                self.removeUnusable(at: self.clock.now)
            }
        }
    }

    /// The bytes taken of the limit.
    public var size: ByteCount {
        .bytes(shards.reduce(0) { size, shard in size + shard.state.withLockedValue { $0.bytes } })
    }

    /// In bites, so that nobody waits long for a shard, and with what is let go of outside its lock.
    private func removeUnusable(at now: Timestamp) {
        let bite = 256
        for shard in shards {
            let number = number.load(ordering: .acquiring)
            var isThrough = false
            while !isThrough {
                var dropped: [CacheEntry] = []
                isThrough = shard.state.withLockedValue { shard in
                    // The dead first: what is left of a key may be over by now.
                    let isSwept = shard.removeDead(number: number, limit: bite, isAlive: judge, dropping: &dropped)
                    return shard.removeExpired(at: now, limit: bite, dropping: &dropped) < bite && isSwept
                }
            }
        }
    }

    private func stamp(_ covers: [Cover]) {
        let fingerprints = covers.map(\.fingerprint)
        ledger.withLockedValue { ledger in
            ledger.stamp(fingerprints)
            number.store(ledger.number, ordering: .releasing)
        }
    }

    private func judge(_ entry: CacheEntry) -> Verdict {
        judge(entry.birth, fingerprints: entry.covers)
    }

    private func judge(_ birth: Birth, fingerprints: [Cover.Fingerprint]) -> Verdict {
        ledger.withLockedValue { Verdict(isAlive: $0.isAlive(birth, covers: fingerprints), said: $0.birth) }
    }

    private func shard(of key: CacheKey) -> LockedShard {
        shards.count == 1 ? shards[0] : shards[Int(UInt(bitPattern: key.hash) % UInt(shards.count))]
    }

    private static func shardCount(limit: ByteCount, entryLimit: ByteCount) -> Int {
        let byCores = 4 * System.coreCount
        let bySize = limit.bytes / (64 * max(1, entryLimit.bytes))
        return max(1, min(byCores, bySize))
    }
}

extension MemoryStore {
    /// Traps where the shards or the ledger disagree with themselves; for tests.
    package func validate() {
        for shard in shards { shard.state.withLockedValue { $0.validate() } }
        ledger.withLockedValue { $0.validate() }
    }
}
