import HTTPCaching
package import Larder

/// A policy of eviction that a simulation can replay a log with.
package enum SimulatedPolicy: String, CaseIterable, Sendable {
    /// S3-FIFO: evicts entries that are used rarely.
    case byUse = "by-use"
    /// GDSF with lazy promotion: evicts entries that are used rarely for their size.
    case bySizeAndUse = "by-size-and-use"
    /// Evicts the least recently used entry, for comparison.
    case lru
    /// The memory store itself with all its tables, in place of its policy alone.
    case store

    /// The policies of a simulation, unless others are given.
    package static let defaults: [SimulatedPolicy] = [.byUse, .bySizeAndUse, .lru]
}

/// The parts of a simulated store that do not depend on the log.
package struct StoreOptions: Sendable {
    package let policy: SimulatedPolicy
    /// The size of the store.
    package let memory: ByteCount
    /// The number of bytes that are charged for a response beside its body; nil for what the memory store charges.
    package var overhead: Int?
    /// The largest body that is stored; nil for no limit but the size of the store.
    package var bodyLimit: ByteCount?
    /// The number of locks; nil for that of a memory store of this size.
    package var shardCount: Int?

    package init(_ policy: SimulatedPolicy, memory: ByteCount) {
        self.policy = policy
        self.memory = memory
    }

    /// The sizes of a simulation of a log, unless others are given.
    package static func defaultMemory(for content: LogContent) -> [ByteCount] {
        content == .keys
            ? [100, 1_000, 10_000, 100_000, 1_000_000].map(ByteCount.bytes)
            : [.mebibytes(16), .mebibytes(64), .mebibytes(256), .gibibytes(1), .gibibytes(4)]
    }

    /// The largest body that the gateway stores by default.
    package static let defaultBodyLimit = ByteCount.mebibytes(8)

    /// The size of the largest entry, as a memory store is made with.
    var entryLimit: ByteCount { bodyLimit.map { CacheEntry.limit(forBodiesOf: $0) } ?? memory }

    /// Returns the store. This is the one place that knows how a policy is replayed.
    func store() -> any SimulatedStore {
        switch policy {
        case .byUse: PolicyStore<S3FIFOPolicy>(self)
        case .bySizeAndUse: PolicyStore<SizeAndFrequencyPolicy>(self)
        case .lru: PolicyStore<LRUPolicy>(self)
        case .store: WholeStore(self)
        }
    }
}

/// The counts of a store after a replay.
package struct StoreCounts: Hashable, Sendable {
    /// The number of requests that were answered from the store.
    package var hits = 0
    /// The number of bytes that were sent for them.
    package var hitBytes = 0
    /// The largest number of bytes that were charged at a time.
    package var peakBytes = 0
    /// The number of entries at that time.
    package var peakEntries = 0
    /// The number of entries that were evicted because there was no room; nil if it is not known.
    package var evictions: Int? = 0

    package init() {}

    mutating func noteHit(_ record: LogRecord) {
        hits += 1
        hitBytes = hitBytes.addingReportingOverflow(record.size).overflow ? .max : hitBytes + record.size
    }

    mutating func noteSize(_ bytes: Int, entries: @autoclosure () -> Int) {
        guard bytes > peakBytes else { return }
        (peakBytes, peakEntries) = (bytes, entries())
    }
}

/// A store that a log is replayed through. It is an actor, so that several are replayed side by side.
protocol SimulatedStore: Actor {
    var counts: StoreCounts { get }

    /// Replays requests.
    func replay(_ batch: LogBatch) async
}
