import HTTPCaching

/// A part of a memory store: a table of keys, bounded in bytes. It has neither a lock nor a clock.
///
/// Each key has a slot, a small integer by which the other tables know it: the index of keys, the eviction policy, the
/// wheel of expiry times and the index of scopes. All of them are arrays of plain values, in which slots are linked by
/// their numbers. A small response is packed into one block of bytes (``PackedEntry``), and those that were used lately
/// are there as objects, too (``HotEntries``).
///
/// All memory is charged: what entries take, and what the tables and the blocks have taken and do not use now. If that
/// becomes much, blocks and slots are moved, a few in each call, and the memory is given back.
///
/// Removed entries are appended to the parameter `dropped`, so that the caller releases them outside the lock.
struct MemoryShard: Sendable {
    /// An entry of a slot.
    struct Variant: Sendable {
        let entry: CacheEntry
        /// The links of the entry in the index of scopes.
        var run: ScopeIndex.Run
        let linkCount: UInt16
    }

    /// The entries of one key.
    enum Content: Sendable {
        case none
        /// One response, in a block.
        case packed(PackedEntry)
        /// One response that was used lately.
        case hot(HotEntry)
        /// Responses that are not packed: several variants, the newest first, or a large one.
        case objects([Variant])
    }

    struct Slot: Sendable {
        var content = Content.none
        /// The number of links of a packed entry, and the links.
        var linkCount: UInt16 = 0
        var run: ScopeIndex.Run = 0
        /// The version of the log at which the entries were last found valid.
        var checkedAt: UInt64 = 0
    }

    /// The part of an entry that is compared with the log.
    struct ComparedEntry: Sendable {
        let readVersion: LogVersion
        let scopes: [InvalidationScope.Fingerprint]
    }

    var slots = SlotTable()
    var index = HashIndex()
    var policy: ShardPolicy
    var expiry = ExpiryWheel()
    var scopes = ScopeIndex()
    var heads: HeadTable
    var pool: BlockPool
    var hot = HotEntries()
    /// The epoch of the read versions of packed entries.
    var epoch: LogVersion.Epoch?
    /// The progress of the current sweep of all entries.
    private var sweep = Sweep()
    /// The progress of the current sweep of the entries that have a path.
    private var pathSweep = Sweep()
    let limit: Int
    let variantLimit: Int
    /// The number of keys that were removed to make room.
    var evictions = 0
    /// The number of keys that were removed because they had expired.
    var expirations = 0
    /// False if an entry's cost is the size of its body; for tests of hit ratios.
    let chargesOverhead: Bool

    /// Creates a shard.
    /// - Parameters:
    ///   - limit: The number of bytes that it has room for.
    ///   - variantLimit: The number of Vary variants under one key.
    ///   - eviction: The way in which entries are chosen that are evicted.
    init(limit: Int, variantLimit: Int, eviction: EvictionMethod = .byUse, chargesOverhead: Bool = true) {
        self.chargesOverhead = chargesOverhead
        self.pool = BlockPool(limit: limit)
        self.heads = HeadTable(limit: limit / 32)
        self.limit = limit
        self.variantLimit = variantLimit
        self.policy = ShardPolicy(eviction, capacity: limit)
    }

    /// The number of entries that one call, and so one hold of the lock, compares with the log or removes.
    static let batchLimit = 256

    /// The number of expired keys that a count leaves out; more of them are counted until they are swept.
    static let countLimit = 4_096

    /// The number of entries that one insertion examines in search of expired ones.
    private static let expiryBudget = 16

    /// The progress of a sweep, which removes entries by their read version.
    private struct Sweep: Sendable {
        /// The slot to examine next.
        var next = 0
        /// The version below which entries are removed.
        var number: UInt64 = 0
        /// The lower bound of the read versions of the entries that it is for.
        var oldest: UInt64 = 0
    }

    /// The progress of a call whose amount of work is limited.
    struct Progress: Hashable {
        /// The number of entries that were compared, or examined.
        var compared: Int
        /// True if nothing is left to do.
        var isComplete: Bool
    }

    /// The number of keys, expired ones included.
    var count: Int { index.count }

    /// The number of bytes that are used of the limit.
    var bytes: Int { policy.bytes + (chargesOverhead ? hot.bytes + heads.cost + unusedBytes : 0) }

    /// The number of bytes that tables and blocks take and do not use.
    var unusedBytes: Int { pool.unusedBytes + scopes.unusedBytes + slots.unusedCount * Self.slotCost }

    /// Returns the number of keys that have not expired, without removing the others; a higher number if more than
    /// ``countLimit`` expired keys wait to be swept.
    func count(at now: Timestamp) -> Int {
        index.count - expiry.count(at: now, limit: Self.countLimit) { storedUntil($0) <= now }
    }

    /// Returns the entries under a key; nil if there are none, or only expired ones. It is no use of the entries: see
    /// ``CacheEntry/noteUse()``.
    /// - Parameters:
    ///   - number: The version of the log; entries that were found valid at that version are not compared again.
    ///   - isValid: Compares an entry with the log, and returns the log's version; called only if something was
    ///     invalidated since the entries were last found valid.
    mutating func load(
        _ key: CacheKey,
        at now: Timestamp,
        number: UInt64,
        isValid: (ComparedEntry) -> Validity,
        dropping dropped: inout [CacheEntry]
    ) -> [CacheEntry]? {
        guard let place = place(of: key) else { return nil }
        guard now < storedUntil(place) else {
            remove(place, isExpired: true, dropping: &dropped)
            return nil
        }
        guard removeInvalid(place, number: number, isValid: isValid, dropping: &dropped),
            expire(place, at: now, dropping: &dropped)
        else { return nil }
        let entries = use(place, dropping: &dropped)
        makeRoom(at: now, dropping: &dropped)
        return entries
    }

    /// Stores an entry in place of the variant that it replaces; evicts other entries as far as necessary.
    mutating func save(_ entry: CacheEntry, at now: Timestamp, number: UInt64, dropping dropped: inout [CacheEntry]) {
        entry.markUsed()
        // Expired entries are removed before any that could still be used.
        removeExpired(at: now, budget: Self.expiryBudget, dropping: &dropped)
        guard let place = place(of: entry.location.key) else {
            insert(entry, at: now, number: number, dropping: &dropped)
            return shrinkTables()
        }
        let variants = variants(at: place)
        let remaining = variants.map(\.entry).saving(entry, limit: variantLimit)
        // The comparison of the other variants is as old as before; the new one was found valid at `number`.
        let checkedAt = slots[place].checkedAt
        slots[place].checkedAt = remaining.count == 1 ? number : min(checkedAt, number)
        noteUnswept(entry.readVersion.number)
        replace(variants, by: remaining, at: place, dropping: &dropped)
        makeRoom(at: now, dropping: &dropped)
        shrinkTables()
    }

    /// Returns the number of the valid entries that belong to a scope, of the oldest ``batchLimit`` of them.
    func count(of scope: InvalidationScope.Fingerprint, at now: Timestamp, isValid: (ComparedEntry) -> Validity) -> Int
    {
        var entries = scopes.entries(of: scope, upTo: Self.batchLimit).compactMap { place, link in
            variants(at: place).first { scopes.contains(link, in: $0.run) }?.entry
        }
        for place in places(of: scope) { entries += variants(at: place).map(\.entry) }
        return entries.count { now < $0.lifetimes.storedUntil && isValid(Self.compared($0)).isValid }
    }

    /// Removes the entries under a key.
    mutating func remove(_ key: CacheKey, dropping dropped: inout [CacheEntry]) {
        if let place = place(of: key) { remove(place, dropping: &dropped) }
        shrinkTables()
    }

    /// Removes the variant of an entry if it still has the same read version, and the older ones that answer the same
    /// requests, so that they are not found in its place.
    mutating func discard(_ entry: CacheEntry, dropping dropped: inout [CacheEntry]) {
        guard let place = place(of: entry.location.key) else { return }
        let variants = variants(at: place)
        retain(variants.map(\.entry).discarding(entry), of: variants, at: place, dropping: &dropped)
        shrinkTables()
    }

    /// Removes expired keys, at most `limit`, and returns their number.
    @discardableResult
    mutating func removeExpired(
        at now: Timestamp,
        limit: Int = Self.batchLimit,
        dropping dropped: inout [CacheEntry]
    ) -> Int {
        defer { shrinkTables() }
        return removeExpired(at: now, limit: limit, budget: 16 * Self.batchLimit, dropping: &dropped)
    }

    @discardableResult
    private mutating func removeExpired(
        at now: Timestamp,
        limit: Int = .max,
        budget: Int,
        dropping dropped: inout [CacheEntry]
    ) -> Int {
        var (removed, budget) = (0, budget)
        while removed < limit, let place = expiry.nextExpired(at: now, budget: &budget) {
            remove(place, isExpired: true, dropping: &dropped)
            removed += 1
        }
        return removed
    }
}

// MARK: - Removing invalidated entries

extension MemoryShard {
    /// Removes the entries that the invalidation of a scope has made invalid, and compares at most `limit` entries for
    /// it, or the variants of one key.
    ///
    /// The entries of the scope are compared in the order in which they were stored: the first valid one was stored
    /// after the invalidation, and so were all after it.
    mutating func removeInvalidated(
        _ scope: InvalidationScope.Fingerprint,
        limit: Int = Self.batchLimit,
        isValid: (ComparedEntry) -> Validity,
        dropping dropped: inout [CacheEntry]
    ) -> Progress {
        defer { shrinkTables() }
        var progress = Progress(compared: 0, isComplete: true)
        // The variants of one key are compared at once, however many there are, and do not count towards the limit.
        for place in places(of: scope) {
            let entries = compared(at: place)
            removeVariants(entries.map { !isValid($0).isValid }, at: place, dropping: &dropped)
        }
        // The entries at a prefix itself are in the chain of its path.
        for chain in scope.kind == .prefix ? [scope, scope.ofOtherKind] : [scope] where progress.isComplete {
            removeInvalidated(in: chain, limit: limit, isValid: isValid, &progress, dropping: &dropped)
        }
        return progress
    }

    private mutating func removeInvalidated(
        in chain: InvalidationScope.Fingerprint,
        limit: Int,
        isValid: (ComparedEntry) -> Validity,
        _ progress: inout Progress,
        dropping dropped: inout [CacheEntry]
    ) {
        progress.isComplete = false
        while progress.compared < limit {
            guard let (place, link) = scopes.oldest(of: chain) else {
                progress.isComplete = true
                return
            }
            guard let variant = runs(at: place).firstIndex(where: { scopes.contains(link, in: $0) }) else {
                preconditionFailure("A chain leads to an entry that does not exist")
            }
            // All variants of a key are compared at once, since most belong to the same scopes.
            let entries = compared(at: place)
            let members = entries.count { $0.scopes.contains(chain) }
            guard progress.compared == 0 || progress.compared + members <= limit else { return }
            progress.compared += members
            let invalid = entries.map { $0.scopes.contains(chain) && !isValid($0).isValid }
            guard invalid[variant] else {
                progress.isComplete = true
                return
            }
            removeVariants(invalid, at: place, dropping: &dropped)
        }
    }

    /// Removes the entries with a read version below a version: the log's floor, or the last invalidation of
    /// everything. Examines about `limit` entries at a time, and continues where it stopped.
    mutating func removeEntries(
        readBefore number: UInt64,
        limit: Int = Self.batchLimit,
        dropping dropped: inout [CacheEntry]
    ) -> Progress {
        removeEntries(readBefore: number, limit: limit, \.sweep, dropping: &dropped) { _ in true }
    }

    /// Removes the entries that have a path, in the same way: those below the prefix `/`, by its last invalidation.
    mutating func removeEntriesWithPaths(
        readBefore number: UInt64,
        limit: Int = Self.batchLimit,
        dropping dropped: inout [CacheEntry]
    ) -> Progress {
        removeEntries(readBefore: number, limit: limit, \.pathSweep, dropping: &dropped) {
            $0.scopes.contains(Self.root)
        }
    }

    private mutating func removeEntries(
        readBefore number: UInt64,
        limit: Int,
        _ path: WritableKeyPath<MemoryShard, Sweep>,
        dropping dropped: inout [CacheEntry],
        where isConcerned: (ComparedEntry) -> Bool
    ) -> Progress {
        var sweep = self[keyPath: path]
        defer {
            self[keyPath: path] = sweep
            shrinkTables()
        }
        guard sweep.oldest < number else { return Progress(compared: 0, isComplete: true) }
        if sweep.next == 0 { sweep.number = number }
        var compared = 0
        while sweep.next < slots.count, compared < limit {
            let (place, lowest) = (sweep.next, sweep.number)
            sweep.next += 1
            let numbers = readNumbers(at: place)
            compared += max(1, numbers.count)
            guard numbers.contains(where: { $0 < lowest }) else { continue }
            let marks = self.compared(at: place).map { $0.readVersion.number < lowest && isConcerned($0) }
            removeVariants(marks, at: place, dropping: &dropped)
        }
        guard sweep.next >= slots.count else { return Progress(compared: compared, isComplete: false) }
        (sweep.oldest, sweep.next) = (sweep.number, 0)
        return Progress(compared: compared, isComplete: sweep.oldest >= number)
    }

    /// Notes that an entry with this read version is stored from now on, perhaps at a place that the sweeps have
    /// examined already.
    mutating func noteUnswept(_ number: UInt64) {
        sweep.oldest = min(sweep.oldest, number)
        sweep.number = min(sweep.number, number)
        pathSweep.oldest = min(pathSweep.oldest, number)
        pathSweep.number = min(pathSweep.number, number)
    }

    /// True if a sweep has examined a part of the slots. An entry that moved into that part would not be examined.
    var isSweeping: Bool { sweep.next > 0 || pathSweep.next > 0 }

    /// The lower bound of the read versions of all stored entries.
    var oldestReadVersion: UInt64 { sweep.oldest }

    /// Removes the invalid entries at a place. Returns true if any are left.
    mutating func removeInvalid(
        _ place: Int,
        number: UInt64,
        isValid: (ComparedEntry) -> Validity,
        dropping dropped: inout [CacheEntry]
    ) -> Bool {
        guard slots[place].checkedAt < number else { return true }
        let validities = compared(at: place).map(isValid)
        slots[place].checkedAt = validities.reduce(.max) { min($0, $1.checkedVersion.number) }
        return removeVariants(validities.map { !$0.isValid }, at: place, dropping: &dropped)
    }
}
