import HTTPCaching

/// A part of a memory store: a table of keys, bounded in bytes. It has neither a lock nor a clock.
///
/// Removed entries are appended to the parameter `dropped`, so that the caller releases them outside the lock.
struct MemoryShard {
    /// The entries of one key.
    struct Slot {
        let key: CacheKey
        /// The variants, the newest first; never empty.
        var entries: [CacheEntry]
        /// The version of the log at which the entries were last found valid.
        var checkedAt: UInt64
    }

    private var slots: [Slot?] = []
    private var free: [Int] = []
    private var index: [CacheKey: Int] = [:]
    private var eviction = EvictionQueue()
    private var expiry = IndexedHeap<Timestamp>()
    private var scopes = ScopeIndex()
    private(set) var bytes = 0
    /// The lower bound of the read versions of all stored entries.
    private var oldestReadVersion: UInt64 = 0
    /// The progress of the current sweep, and the version below which it removes entries by their read version.
    private var sweep: (next: Int, number: UInt64) = (0, 0)
    private let limit: Int
    private let variantLimit: Int

    /// Creates a shard with room for `limit` bytes, and for `variantLimit` Vary variants under one key.
    init(limit: Int, variantLimit: Int) {
        self.limit = limit
        self.variantLimit = variantLimit
    }

    /// The number of entries that one call, and so one hold of the lock, compares with the log or removes.
    static let batchLimit = 256

    /// The number of expired keys that a count leaves out; more of them are counted until they are swept.
    static let countLimit = 4_096

    /// The progress of a call whose amount of work is limited.
    struct Progress: Hashable {
        /// The number of entries that were compared, or examined.
        var compared: Int
        /// True if nothing is left to do.
        var isComplete: Bool
    }

    /// The number of keys, expired ones included.
    var count: Int { index.count }

    /// Returns the number of keys that have not expired, without removing the others; a higher number if more than
    /// ``countLimit`` expired keys wait to be swept.
    func count(at now: Timestamp) -> Int {
        index.count - expiry.count(through: now, limit: Self.countLimit)
    }

    /// Returns the entries under a key; nil if there are none, or only expired ones.
    /// - Parameters:
    ///   - number: The version of the log; entries that were found valid at that version are not compared again.
    ///   - isValid: Compares an entry with the log, and returns the log's version; called only if something was
    ///     invalidated since the entries were last found valid.
    mutating func load(
        _ key: CacheKey,
        at now: Timestamp,
        number: UInt64,
        isValid: (CacheEntry) -> Validity,
        dropping dropped: inout [CacheEntry]
    ) -> [CacheEntry]? {
        guard let place = index[key] else { return nil }
        guard let remaining = expiry.priority(of: place), now < remaining else {
            remove(place, dropping: &dropped)
            return nil
        }
        guard removeInvalid(place, number: number, isValid: isValid, dropping: &dropped),
            expire(place, at: now, dropping: &dropped)
        else { return nil }
        eviction.use(place)
        return slots[place]?.entries
    }

    /// Stores an entry in place of the variant that it replaces; evicts other entries as far as necessary.
    mutating func save(_ entry: CacheEntry, at now: Timestamp, number: UInt64, dropping dropped: inout [CacheEntry]) {
        let key = entry.location.key
        entry.markUsed()
        guard let place = index[key], var slot = slots[place] else {
            makeRoom(for: entry.cost, at: now, dropping: &dropped)
            insert(Slot(key: key, entries: [entry], checkedAt: number))
            return
        }
        let remaining = slot.entries.saving(entry, limit: variantLimit)
        relink(slot.entries, to: remaining, at: place)
        dropped += slot.entries
        bytes += Self.cost(of: remaining) - Self.cost(of: slot.entries)
        // The comparison of the other variants is as old as before; the new one was found valid at `number`.
        slot.checkedAt = remaining.count == 1 ? number : min(slot.checkedAt, number)
        slot.entries = remaining
        slots[place] = slot
        noteUnswept(entry.readVersion.number)
        expiry.set(place, to: Self.storedUntil(remaining))
        eviction.use(place)
        makeRoom(for: 0, at: now, dropping: &dropped)
    }

    /// Returns the number of the valid entries that belong to a scope, of the oldest ``batchLimit`` of them.
    func count(of scope: InvalidationScope.Fingerprint, at now: Timestamp, isValid: (CacheEntry) -> Validity) -> Int {
        scopes.entries(of: scope, upTo: Self.batchLimit).count { id, place in
            let entry = slots[place]?.entries.first { ObjectIdentifier($0) == id }
            return entry.map { now < $0.lifetimes.storedUntil && isValid($0).isValid } ?? false
        }
    }

    /// Removes the entries under a key.
    mutating func remove(_ key: CacheKey, dropping dropped: inout [CacheEntry]) {
        if let place = index[key] { remove(place, dropping: &dropped) }
    }

    /// Removes the variant of an entry if it still has the same read version, and the older ones that answer the same
    /// requests, so that they are not found in its place.
    mutating func discard(_ entry: CacheEntry, dropping dropped: inout [CacheEntry]) {
        guard let place = index[entry.location.key], let slot = slots[place] else { return }
        retain(slot.entries.discarding(entry), at: place, dropping: &dropped)
    }

    /// Removes expired keys, at most `limit`, and returns their number.
    @discardableResult
    mutating func removeExpired(
        at now: Timestamp,
        limit: Int = Self.batchLimit,
        dropping dropped: inout [CacheEntry]
    ) -> Int {
        var removed = 0
        while removed < limit, let first = expiry.first, first.priority <= now {
            remove(first.id, dropping: &dropped)
            removed += 1
        }
        return removed
    }

    /// Removes the entries that the invalidation of a scope has made invalid, and compares at most `limit` entries for
    /// it, or the variants of one key.
    ///
    /// The entries of the scope are compared in the order in which they were stored: the first valid one was stored
    /// after the invalidation, and so were all after it.
    mutating func removeInvalidated(
        _ scope: InvalidationScope.Fingerprint,
        limit: Int = Self.batchLimit,
        isValid: (CacheEntry) -> Validity,
        dropping dropped: inout [CacheEntry]
    ) -> Progress {
        var compared = 0
        while compared < limit {
            guard let (id, place) = scopes.oldest(of: scope) else {
                return Progress(compared: compared, isComplete: true)
            }
            guard let slot = slots[place], slot.entries.contains(where: { ObjectIdentifier($0) == id }) else {
                preconditionFailure("A chain leads to an entry that does not exist")
            }
            // All variants of a key are compared at once, since most belong to the same scopes.
            let members = slot.entries.filter { $0.namedScopes.contains(scope) }
            guard compared == 0 || compared + members.count <= limit else { break }
            compared += members.count
            let invalid = Set(members.filter { !isValid($0).isValid }.map(ObjectIdentifier.init))
            guard invalid.contains(id) else { return Progress(compared: compared, isComplete: true) }
            retain(slot.entries.filter { !invalid.contains(ObjectIdentifier($0)) }, at: place, dropping: &dropped)
        }
        return Progress(compared: compared, isComplete: false)
    }

    /// Removes the entries with a read version below a version: the log's floor, or the last invalidation of
    /// everything. Examines about `limit` entries at a time, and continues where it stopped.
    mutating func removeEntries(
        readBefore number: UInt64,
        limit: Int = Self.batchLimit,
        dropping dropped: inout [CacheEntry]
    ) -> Progress {
        guard oldestReadVersion < number else { return Progress(compared: 0, isComplete: true) }
        if sweep.next == 0 { sweep.number = number }
        var compared = 0
        while sweep.next < slots.count, compared < limit {
            let place = sweep.next
            sweep.next += 1
            guard let slot = slots[place] else {
                compared += 1
                continue
            }
            compared += slot.entries.count
            retain(slot.entries.filter { $0.readVersion.number >= sweep.number }, at: place, dropping: &dropped)
        }
        guard sweep.next == slots.count else { return Progress(compared: compared, isComplete: false) }
        (oldestReadVersion, sweep.next) = (sweep.number, 0)
        return Progress(compared: compared, isComplete: oldestReadVersion >= number)
    }

    /// Notes that an entry with this read version is stored from now on, perhaps at a place that the sweep has examined
    /// already.
    private mutating func noteUnswept(_ number: UInt64) {
        oldestReadVersion = min(oldestReadVersion, number)
        sweep.number = min(sweep.number, number)
    }

    /// Updates the chains, and the charges of entries to budgets, to the new entries of a slot.
    private mutating func relink(_ old: [CacheEntry], to new: [CacheEntry], at place: Int) {
        for entry in old where !new.contains(where: { $0 === entry }) {
            scopes.remove(ObjectIdentifier(entry), at: place)
            entry.noteRemoved()
        }
        for entry in new where !old.contains(where: { $0 === entry }) {
            scopes.add(ObjectIdentifier(entry), at: place, scopes: entry.namedScopes)
            entry.noteStored()
        }
    }

    /// Removes the invalid entries at a place. Returns true if any are left.
    private mutating func removeInvalid(
        _ place: Int,
        number: UInt64,
        isValid: (CacheEntry) -> Validity,
        dropping dropped: inout [CacheEntry]
    ) -> Bool {
        guard var slot = slots[place] else { return false }
        guard slot.checkedAt < number else { return true }
        let validities = slot.entries.map(isValid)
        slot.checkedAt = validities.reduce(.max) { min($0, $1.checkedVersion.number) }
        slots[place] = slot
        return retain(zip(slot.entries, validities).filter { $1.isValid }.map(\.0), at: place, dropping: &dropped)
    }

    /// Removes the expired variants at a place. Returns true if any are left: the slot expires with the last of its
    /// variants.
    private mutating func expire(_ place: Int, at now: Timestamp, dropping dropped: inout [CacheEntry]) -> Bool {
        guard let slot = slots[place] else { return false }
        guard slot.entries.contains(where: { $0.lifetimes.storedUntil <= now }) else { return true }
        return retain(slot.entries.filter { now < $0.lifetimes.storedUntil }, at: place, dropping: &dropped)
    }

    /// Removes all of a slot's variants except these. Returns true if any are left.
    @discardableResult
    private mutating func retain(_ entries: [CacheEntry], at place: Int, dropping dropped: inout [CacheEntry]) -> Bool {
        guard let slot = slots[place], !entries.isEmpty else {
            remove(place, dropping: &dropped)
            return false
        }
        guard entries.count < slot.entries.count else { return true }
        relink(slot.entries, to: entries, at: place)
        dropped += slot.entries
        bytes += Self.cost(of: entries) - Self.cost(of: slot.entries)
        slots[place]?.entries = entries
        expiry.set(place, to: Self.storedUntil(entries))
        return true
    }

    private mutating func makeRoom(for cost: Int, at now: Timestamp, dropping dropped: inout [CacheEntry]) {
        // Expired entries are removed before any that could still be used; a few a call are enough for the rate of new
        // ones.
        removeExpired(at: now, limit: 16, dropping: &dropped)
        while bytes + cost > limit {
            if let first = expiry.first, first.priority <= now {
                remove(first.id, dropping: &dropped)
            } else if let victim = eviction.victim() {
                remove(victim, dropping: &dropped)
            } else {
                return
            }
        }
    }

    private mutating func insert(_ slot: Slot) {
        let place = free.popLast() ?? slots.count
        if place == slots.count { slots.append(slot) } else { slots[place] = slot }
        index[slot.key] = place
        relink([], to: slot.entries, at: place)
        bytes += Self.cost(of: slot.entries)
        for entry in slot.entries { noteUnswept(entry.readVersion.number) }
        expiry.set(place, to: Self.storedUntil(slot.entries))
        eviction.insert(place)
    }

    private mutating func remove(_ place: Int, dropping dropped: inout [CacheEntry]) {
        guard let slot = slots[place] else { return }
        relink(slot.entries, to: [], at: place)
        slots[place] = nil
        index[slot.key] = nil
        expiry.remove(place)
        eviction.remove(place)
        free.append(place)
        bytes -= Self.cost(of: slot.entries)
        dropped += slot.entries
    }

    private static func cost(of entries: [CacheEntry]) -> Int {
        entries.reduce(0) { $0 + $1.cost }
    }

    private static func storedUntil(_ entries: [CacheEntry]) -> Timestamp {
        entries.reduce(.distantPast) { max($0, $1.lifetimes.storedUntil) }
    }
}

extension MemoryShard {
    /// Traps if the tables disagree; for tests.
    func validate() {
        eviction.validate()
        expiry.validate()
        scopes.validate()
        var total = 0
        var links = 0
        for (place, slot) in slots.enumerated() {
            guard let slot else { continue }
            precondition(index[slot.key] == place, "A slot the index does not know")
            precondition(!slot.entries.isEmpty && slot.entries.count <= variantLimit, "A slot with too few or too many")
            precondition(
                expiry.priority(of: place) == Self.storedUntil(slot.entries),
                "A slot with a wrong expiry"
            )
            for (place, entry) in slot.entries.enumerated() {
                precondition(!slot.entries[(place + 1)...].contains(where: entry.replaces), "A variant twice")
            }
            for entry in slot.entries {
                precondition(oldestReadVersion <= entry.readVersion.number, "An entry that no sweep would look at")
                let linked = scopes.scopes(of: ObjectIdentifier(entry), at: place)
                precondition(Set(linked) == Set(entry.namedScopes), "An entry that an invalidation would not find")
            }
            links += slot.entries.reduce(0) { $0 + $1.namedScopes.count }
            total += Self.cost(of: slot.entries)
        }
        precondition(links == scopes.count, "A link to an entry that is not stored")
        precondition(total == bytes, "The bytes do not add up")
        precondition(bytes <= limit, "More bytes than the limit")
        precondition(index.count == eviction.count && index.count == expiry.count, "Tables of different length")
        precondition(index.count + free.count == slots.count, "A lost slot")
    }
}
