import HTTPCaching
import HTTPTypes
import Larder

/// A memory store without responses: its eviction policy, its shards and its charges, with the entries' keys, times and
/// paths alone.
///
/// A response of any size takes some 100 bytes, so that a store of 1 GiB is simulated in a few megabytes, and a request
/// takes a tenth of a microsecond. Entries expire and are invalidated as in the memory store: expired ones are removed
/// before any is evicted, and those of a path when a write to it succeeds.
actor PolicyStore<Policy: EvictionPolicy>: SimulatedStore {
    private var shards: [Shard]
    private let charges: StoreCharges
    private let overhead: Int?
    private let entryLimit: Int
    private let bodyLimit: Int
    private(set) var counts = StoreCounts()

    init(_ options: StoreOptions) {
        let memory = max(1, options.memory.bytes)
        let count =
            options.shardCount ?? MemoryStore.shardCount(limit: options.memory, entryLimit: options.entryLimit)
        let shardLimit = memory / max(1, count)
        charges = StoreCharges(SampleResponse.head, shardLimit: shardLimit)
        // The objects of the entries that were used lately take a 32nd of what is stored.
        let capacity = options.overhead == nil ? shardLimit - shardLimit / 33 : shardLimit
        shards = (0..<max(1, count)).map { _ in Shard(capacity: max(1, capacity)) }
        entryLimit = min(options.entryLimit.bytes, shardLimit, Int(UInt32.max))
        bodyLimit = options.bodyLimit?.bytes ?? .max
        overhead = options.overhead
    }

    func replay(_ batch: LogBatch) { for record in batch.records { replay(record) } }

    private func replay(_ record: LogRecord) {
        // The upper half, as the tables of a shard use the lower one.
        let place = shards.count == 1 ? 0 : Int((record.key >> 32) % UInt64(shards.count))
        switch record.kind {
        case .bypass: return
        case .write:
            // Keys of one path may be in any shard.
            for place in shards.indices { shards[place].invalidate(record.path) }
        case .load, .peek:
            if shards[place].find(record.key, at: record.time) { return counts.noteHit(record) }
            guard record.kind == .load, record.size <= bodyLimit, record.time < record.freshUntil else { return }
            // Entries that cost nothing would have no limit.
            let cost = max(1, cost(of: record))
            guard cost <= entryLimit else { return }
            counts.evictions = (counts.evictions ?? 0) + shards[place].insert(record, cost: cost)
            noteSize()
        }
    }

    private func cost(of record: LogRecord) -> Int {
        guard let overhead else {
            return charges.cost(body: record.size, target: Int(record.targetLength), depth: Int(record.depth))
        }
        let (cost, overflow) = record.size.addingReportingOverflow(overhead)
        return overflow ? .max : cost
    }

    private func noteSize() {
        let bytes = shards.count == 1 ? shards[0].bytes : shards.reduce(0) { $0 + $1.bytes }
        counts.noteSize(bytes, entries: shards.reduce(0) { $0 + $1.count })
    }
}

extension PolicyStore {
    /// A shard of a memory store.
    private struct Shard {
        private struct Entry {
            var freshUntil = Timestamp.distantPast
            var path: UInt64 = 0
            /// The neighbours in the list of the entries of a path; -1 for none.
            var previous: Int32 = -1
            var next: Int32 = -1
        }

        private var policy: Policy
        private let capacity: Int
        private var slots: [UInt64: Int32] = [:]
        private var entries: [Entry] = []
        private var free: [Int32] = []
        /// The first entry of each path.
        private var paths: [UInt64: Int32] = [:]
        private var expiry = ExpiryWheel()

        init(capacity: Int) {
            policy = Policy(capacity: capacity)
            self.capacity = capacity
        }

        var bytes: Int { policy.bytes }
        var count: Int { policy.count }

        /// Returns true if there is a fresh entry.
        mutating func find(_ key: UInt64, at now: Timestamp) -> Bool {
            guard let slot = slots[key].map(Int.init) else { return false }
            guard now < entries[slot].freshUntil else {
                remove(slot, isExpired: true)
                return false
            }
            policy.hit(slot)
            return true
        }

        /// Stores an entry under a key that has none. Returns the number of entries that were evicted for it.
        mutating func insert(_ record: LogRecord, cost: Int) -> Int {
            var budget = Int.max
            while let slot = expiry.nextExpired(at: record.time, budget: &budget) { remove(slot, isExpired: true) }
            let isRecalled = policy.recall(record.key)
            var evicted = 0
            while policy.bytes + cost > capacity, let slot = evict(at: record.time) {
                forget(slot)
                evicted += 1
            }
            let slot = free.popLast().map(Int.init) ?? entries.count
            if slot == entries.count { entries.append(Entry()) }
            entries[slot].freshUntil = record.freshUntil
            slots[record.key] = Int32(slot)
            policy.insert(slot, cost: cost, hash: record.key, isRecalled: isRecalled)
            if record.path != 0 { link(slot, to: record.path) }
            if record.freshUntil < .distantFuture { expiry.set(slot, to: record.freshUntil, at: record.time) }
            return evicted
        }

        private mutating func evict(at now: Timestamp) -> Int? {
            // The second reference to the entries ends before they change.
            let entries = entries
            return policy.evict { entries[$0].freshUntil <= now }
        }

        /// Removes the entries of a path.
        mutating func invalidate(_ path: UInt64) {
            while let slot = paths[path] { remove(Int(slot), isExpired: false) }
        }

        private mutating func remove(_ slot: Int, isExpired: Bool) {
            policy.remove(slot, isExpired: isExpired)
            forget(slot)
        }

        /// Removes an entry that the policy does not have any more.
        private mutating func forget(_ slot: Int) {
            slots[policy.hash(of: slot)] = nil
            expiry.remove(slot)
            if entries[slot].path != 0 { unlink(slot) }
            free.append(Int32(slot))
        }

        private mutating func link(_ slot: Int, to path: UInt64) {
            let next = paths.updateValue(Int32(slot), forKey: path) ?? -1
            entries[slot].path = path
            (entries[slot].previous, entries[slot].next) = (-1, next)
            if next >= 0 { entries[Int(next)].previous = Int32(slot) }
        }

        private mutating func unlink(_ slot: Int) {
            let (previous, next) = (entries[slot].previous, entries[slot].next)
            if previous >= 0 {
                entries[Int(previous)].next = next
            } else {
                paths[entries[slot].path] = next >= 0 ? next : nil
            }
            if next >= 0 { entries[Int(next)].previous = previous }
            entries[slot].path = 0
        }
    }
}

/// The response that a simulation takes all responses to be like, except for their bodies.
enum SampleResponse {
    static let head = HTTPResponse(
        status: .ok,
        headerFields: [
            .contentType: "text/html; charset=utf-8", .contentLength: "10240",
            .date: "Sun, 06 Nov 1994 08:49:37 GMT", .eTag: "\"33a64df551425fcc\"",
        ]
    )
}
