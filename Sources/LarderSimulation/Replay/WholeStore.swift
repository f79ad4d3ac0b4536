import HTTPCaching
import Larder
import NIOCore

/// A memory store with responses of the sizes that the log has. It takes the memory that it is simulated for.
actor WholeStore: SimulatedStore {
    private let store: MemoryStore
    private let bodyLimit: Int
    private let entryLimit: ByteCount
    /// Bytes of which bodies are parts.
    private var zeros = ByteBuffer()
    private(set) var counts = StoreCounts()

    init(_ options: StoreOptions) {
        store = MemoryStore(
            limit: max(.bytes(1), options.memory),
            entryLimit: options.entryLimit,
            shardCount: options.shardCount
        )
        bodyLimit = options.bodyLimit?.bytes ?? options.memory.bytes
        entryLimit = store.entryLimit
        counts.evictions = nil
    }

    func replay(_ batch: LogBatch) async {
        for (record, target) in zip(batch.records, batch.targets) { await replay(record, target) }
    }

    private func replay(_ record: LogRecord, _ target: String) async {
        switch record.kind {
        case .bypass: return
        case .write: await store.invalidate([.path(CachePath(target))])
        case .load, .peek:
            let target = target.hasPrefix("/") ? target : "/" + target
            guard let key = CacheKey("GET:" + target) else { return }
            let location = EntryLocation(key: key, target: target)
            if let entry = store.find(location, at: record.time)?.first {
                entry.noteUse()
                return counts.noteHit(record)
            }
            guard record.kind == .load, record.size <= min(bodyLimit, entryLimit.bytes),
                record.time < record.freshUntil
            else { return }
            let lookup = await store.load(location, for: nil, at: record.time)
            _ = await store.save(entry(record, location, lookup.readVersion), at: record.time)
            let size = store.size.bytes
            guard size > counts.peakBytes else { return }
            let entries = await store.count(at: record.time)
            counts.noteSize(size, entries: entries)
        }
    }

    private func entry(_ record: LogRecord, _ location: EntryLocation, _ version: LogVersion) -> CacheEntry {
        if zeros.readableBytes < record.size { zeros = ByteBuffer(repeating: 0, count: record.size) }
        return CacheEntry(
            head: SampleResponse.head,
            body: zeros.getSlice(at: 0, length: record.size) ?? ByteBuffer(),
            lifetimes: Lifetimes(from: record.time, until: record.freshUntil),
            selectingFields: .none,
            readVersion: version,
            location: location,
            tags: []
        )
    }
}
