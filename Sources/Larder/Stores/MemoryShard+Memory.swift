import HTTPCaching
import NIOCore

// MARK: - Packing

extension MemoryShard {
    /// Packs an entry that has no slot yet, and makes room for it; nil if it is not packed.
    mutating func pack(
        _ entry: CacheEntry,
        links: Int,
        at now: Timestamp,
        dropping dropped: inout [CacheEntry]
    ) -> PackedEntry? {
        guard let bytes = packedBytes(of: entry) else { return nil }
        let new: NewEntry =
            chargesOverhead
            ? .block(bytes.count, links: links) : .objects(cost: entry.body.readableBytes, links: links)
        makeRoom(for: new, at: now, dropping: &dropped)
        return pack(bytes, for: slots.next)
    }

    /// Packs an entry for the slot that it replaces another one in; nil if it is not packed, or if there is no room.
    mutating func packInPlace(_ entry: CacheEntry, at place: Int) -> PackedEntry? {
        guard let bytes = packedBytes(of: entry) else { return nil }
        let growth = chargesOverhead ? pool.growth(for: bytes.count) : 0
        if growth == 0 || self.bytes + growth <= limit { return pack(bytes, for: place) }
        releaseHead(of: bytes)
        return nil
    }

    private mutating func packedBytes(of entry: CacheEntry) -> [UInt8]? {
        epoch = epoch ?? entry.readVersion.epoch
        // The objects of a packed entry must have room among the hot ones, or its uses would not be counted.
        guard epoch == entry.readVersion.epoch, entry.body.readableBytes < pool.largestBlock,
            Self.hotCost(entry) <= min(limit / 16, Self.hotMinimum)
        else { return nil }
        return PackedEntry.bytes(of: entry, heads: &heads)
    }

    private mutating func pack(_ bytes: [UInt8], for slot: Int) -> PackedEntry? {
        if let packed = PackedEntry(bytes, for: slot, pool: &pool) { return packed }
        releaseHead(of: bytes)
        return nil
    }

    private mutating func releaseHead(of bytes: [UInt8]) {
        bytes.withUnsafeBytes { PackedEntry.releaseHead(of: $0, heads: &heads) }
    }

    /// Deallocates the blocks of all entries. The shard cannot be used any more.
    mutating func deallocateBlocks() { pool.deallocateAll() }
}

// MARK: - Hot entries

extension MemoryShard {
    static func hotCost(_ entry: CacheEntry) -> Int { entry.cost + HotEntries.overhead }

    /// Holds the response that a packed entry was made from, or that was made from it, and gives up others.
    mutating func keepHot(
        _ entry: CacheEntry,
        _ packed: PackedEntry,
        at place: Int,
        dropping dropped: inout [CacheEntry]
    ) {
        let cost = Self.hotCost(entry)
        // A small part of the memory is enough: most hits are on few entries.
        let limit = min(limit / 16, max(Self.hotMinimum, policy.bytes / 32))
        while hot.bytes + cost > limit, let victim = hot.victim() { giveUpHot(victim, dropping: &dropped) }
        let cell = hot.add(place, cost: cost)
        slots[place].content = .hot(HotEntry(packed: packed, entry: entry, cell: cell))
        entry.noteStored()
    }

    private mutating func giveUpHot(_ place: Int, dropping dropped: inout [CacheEntry]) {
        guard case .hot(let old) = slots[place].content else {
            preconditionFailure("A hot entry that is not in its slot")
        }
        countUses(at: place)
        hot.remove(old.cell, cost: Self.hotCost(old.entry))
        slots[place].content = .packed(old.packed)
        old.entry.noteRemoved()
        dropped.append(old.entry)
    }

    /// Counts the uses of the objects of a slot that are to be given up.
    mutating func countUses(at place: Int) {
        for _ in 0..<Self.takeUses(of: slots[place]) { policy.hit(place) }
    }

    /// Returns the number of uses of the objects of a slot since the last call.
    static func takeUses(of slot: Slot) -> Int {
        switch slot.content {
        case .none, .packed: 0
        case .hot(let hot): hot.entry.takeUses()
        case .objects(let variants): variants.reduce(0) { $0 + $1.entry.takeUses() }
        }
    }
}

// MARK: - Room

extension MemoryShard {
    /// The number of blocks, slots and groups of links that one call moves, beside those that it evicts.
    private static let moveLimit = 256

    /// An entry for which room is made.
    enum NewEntry {
        case none
        /// An entry that is not packed.
        case objects(cost: Int, links: Int)
        /// A packed entry of a number of bytes.
        case block(Int, links: Int)
    }

    /// Returns the bytes by which the shard grows with an entry. The slot, the links and the block that it will use are
    /// charged already if there are free ones.
    private func growth(with entry: NewEntry) -> Int {
        switch entry {
        case .none: 0
        case .objects(let cost, _) where !chargesOverhead: cost
        case .objects(let cost, let links):
            cost - (slots.freeCount > 0 ? Self.slotCost : 0)
                - (ScopeIndex.cost(links: links) - scopes.growth(links: links))
        case .block(let count, let links):
            pool.growth(for: count) + scopes.growth(links: links) + (slots.freeCount > 0 ? 0 : Self.slotCost)
        }
    }

    /// Removes entries until there is room: expired ones first, then those that the policy chooses. Memory that is not
    /// used is given back before an entry is evicted.
    mutating func makeRoom(for new: NewEntry = .none, at now: Timestamp, dropping dropped: inout [CacheEntry]) {
        guard bytes + growth(with: new) > limit else { return }
        var (examined, moves) = (Self.batchLimit, Self.moveLimit)
        while bytes + growth(with: new) > limit, let place = expiry.nextExpired(at: now, budget: &examined) {
            remove(place, isExpired: true, dropping: &dropped)
        }
        while bytes + growth(with: new) > limit {
            if moves > 0, giveBackUnused() {
                moves -= 1
                continue
            }
            guard let place = evict(at: now) else { return resetTables() }
            clear(place, dropping: &dropped)
            evictions += 1
            // An eviction leaves a block, a slot and a few links.
            moves += 4
        }
    }

    private mutating func evict(at now: Timestamp) -> Int? {
        // The policy must not be changed and read at once. The second reference to the slots ends before they change.
        let slots = slots
        return policy.evict {
            Self.takeUses(of: slots[$0])
        } isExpired: {
            Self.storedUntil(slots[$0]) <= now
        }
    }

    /// Moves a block, a slot or a group of links if too much memory is taken and not used, or gives memory back.
    /// Returns false if there is nothing to do.
    private mutating func giveBackUnused() -> Bool { moveBlock() || removeLastSlot() || removeLastLinks() }

    private mutating func moveBlock() -> Bool {
        guard pool.isFragmented, let (place, address) = pool.moveNext() else { return false }
        let packed = PackedEntry(movedTo: address)
        switch slots[place].content {
        case .packed: slots[place].content = .packed(packed)
        case .hot(let hot):
            slots[place].content = .hot(HotEntry(packed: packed, entry: hot.entry, cell: hot.cell))
        case .none, .objects: preconditionFailure("A block belongs to a packed entry")
        }
        return true
    }

    /// Removes the last slot, or moves its entry into another one.
    private mutating func removeLastSlot() -> Bool {
        guard slots.isSparse, !isSweeping else { return false }
        if !slots.removeLastIfFree() {
            move(slots.count - 1, to: slots.allocate())
        } else if slots.giveBack() {
            policy.shrink(to: slots.count)
            expiry.shrink(to: slots.count)
        }
        return true
    }

    private mutating func move(_ old: Int, to new: Int) {
        slots[new] = slots[old]
        index.move(old, to: new, hash: policy.hash(of: old))
        policy.move(old, to: new)
        expiry.move(old, toSlot: new)
        for run in runs(at: new) { scopes.setSlot(new, of: run) }
        switch slots[new].content {
        case .packed(let packed): pool.setSlot(new, ofBlock: packed.address)
        case .hot(let hot):
            pool.setSlot(new, ofBlock: hot.packed.address)
            self.hot.move(hot.cell, to: new)
        case .none, .objects: break
        }
        slots.release(old)
    }

    /// Removes the last group of links, or moves it into a free one.
    private mutating func removeLastLinks() -> Bool {
        guard scopes.isSparse else { return false }
        guard let place = scopes.shrink() else { return true }
        guard case .objects(var variants) = slots[place].content else {
            guard let run = scopes.moveLastGroup(of: slots[place].run) else {
                preconditionFailure("A group of links that belongs to no entry")
            }
            slots[place].run = run
            return true
        }
        for number in variants.indices {
            guard let run = scopes.moveLastGroup(of: variants[number].run) else { continue }
            variants[number].run = run
            slots[place].content = .objects(variants)
            break
        }
        return true
    }

    /// Gives back memory of tables that are used less than before, a bounded part in one call.
    mutating func shrinkTables() {
        guard index.count > 0 else { return resetTables() }
        var moves = Self.moveLimit / 4
        while moves > 0, removeLastSlot() || removeLastLinks() { moves -= 1 }
    }

    /// Gives back the memory of all tables of a shard without entries.
    private mutating func resetTables() {
        guard index.count == 0, slots.count > 0 || slots.unusedCount > 0 else { return }
        slots = SlotTable()
        scopes = ScopeIndex()
        expiry = ExpiryWheel()
        hot = HotEntries()
        index = HashIndex()
        policy.shrink(to: 0)
    }
}
