import HTTPCaching
import NIOCore

// MARK: - Changing slots

extension MemoryShard {
    /// Returns the entries of a slot that was found, as objects.
    mutating func use(_ place: Int, dropping dropped: inout [CacheEntry]) -> [CacheEntry] {
        switch slots[place].content {
        case .none: return []
        case .packed(let packed):
            let entry = unpacked(packed, at: place)
            keepHot(entry, packed, at: place, dropping: &dropped)
            return [entry]
        case .hot(let hot):
            self.hot.use(hot.cell)
            return [hot.entry]
        case .objects(let variants): return variants.map(\.entry)
        }
    }

    /// Stores an entry under a key that has no slot.
    mutating func insert(_ entry: CacheEntry, at now: Timestamp, number: UInt64, dropping dropped: inout [CacheEntry]) {
        let hash = Self.hash(of: entry.location.key)
        let isRecalled = policy.recall(hash)
        let chains = Self.chains(of: entry)
        let packed = pack(entry, links: chains.count, at: now, dropping: &dropped)
        let cost = cost(of: [entry], packed, links: chains.count)
        guard packed != nil || cost <= min(limit, Int(UInt32.max)) else { return dropped.append(entry) }
        // A packed entry has room already.
        if packed == nil { makeRoom(for: .objects(cost: cost, links: chains.count), at: now, dropping: &dropped) }
        let place = slots.allocate()
        slots[place].checkedAt = number
        policy.insert(place, cost: cost, hash: hash, isRecalled: isRecalled)
        fill(place, with: [link(entry, to: chains, at: place)], packed, dropping: &dropped)
        index.insert(place) { policy.hash(of: $0) }
        noteUnswept(entry.readVersion.number)
        expiry.set(place, to: storedUntil(place), at: now)
        makeRoom(at: now, dropping: &dropped)
    }

    private mutating func link(
        _ entry: CacheEntry,
        to chains: [InvalidationScope.Fingerprint],
        at place: Int
    ) -> Variant {
        precondition(chains.count <= UInt16.max, "More scopes than an entry can have")
        return Variant(entry: entry, run: scopes.add(place, scopes: chains), linkCount: UInt16(chains.count))
    }

    private mutating func unlink(_ variant: Variant, dropping dropped: inout [CacheEntry]) {
        scopes.remove(variant.run, links: Int(variant.linkCount))
        variant.entry.noteRemoved()
        dropped.append(variant.entry)
    }

    private func cost(of entries: [CacheEntry], _ packed: PackedEntry?, links: Int) -> Int {
        guard chargesOverhead else { return entries.reduce(0) { $0 + $1.body.readableBytes } }
        guard let packed else { return entries.reduce(0) { $0 + $1.cost } }
        return pool.cost(ofBlock: packed.address) + Self.slotCost + ScopeIndex.cost(links: links)
    }

    /// Puts variants into an empty slot: one that is packed, or several.
    private mutating func fill(
        _ place: Int,
        with variants: [Variant],
        _ packed: PackedEntry?,
        dropping dropped: inout [CacheEntry]
    ) {
        if let packed {
            slots[place].content = .packed(packed)
            slots[place].run = variants[0].run
            slots[place].linkCount = variants[0].linkCount
            keepHot(variants[0].entry, packed, at: place, dropping: &dropped)
        } else {
            slots[place].content = .objects(variants)
            for variant in variants { variant.entry.noteStored() }
        }
    }

    /// Deallocates the block of a slot, if it has one.
    private mutating func releaseBlock(at place: Int) {
        switch slots[place].content {
        case .packed(let packed): packed.deallocate(heads: &heads, pool: &pool)
        case .hot(let hot):
            self.hot.remove(hot.cell, cost: Self.hotCost(hot.entry))
            hot.packed.deallocate(heads: &heads, pool: &pool)
        case .none, .objects: break
        }
        slots[place].content = .none
    }

    /// Puts these entries in place of those of a slot. Entries that stay keep their places in the chains.
    mutating func replace(
        _ old: [Variant],
        by entries: [CacheEntry],
        at place: Int,
        dropping dropped: inout [CacheEntry]
    ) {
        countUses(at: place)
        releaseBlock(at: place)
        for variant in old where !entries.contains(where: { $0 === variant.entry }) {
            unlink(variant, dropping: &dropped)
        }
        let new = entries.map { entry in
            old.first { $0.entry === entry } ?? link(entry, to: Self.chains(of: entry), at: place)
        }
        let packed = new.count == 1 ? packInPlace(new[0].entry, at: place) : nil
        let cost = cost(of: entries, packed, links: new.reduce(0) { $0 + Int($1.linkCount) })
        policy.resize(place, to: min(cost, Int(UInt32.max)))
        fill(place, with: new, packed, dropping: &dropped)
        expiry.move(place, to: storedUntil(place))
    }

    /// Removes all of a slot's variants except these. Returns true if any are left.
    @discardableResult
    mutating func retain(
        _ entries: [CacheEntry],
        of variants: [Variant],
        at place: Int,
        dropping dropped: inout [CacheEntry]
    ) -> Bool {
        guard !entries.isEmpty else {
            remove(place, dropping: &dropped)
            return false
        }
        if entries.count < variants.count { replace(variants, by: entries, at: place, dropping: &dropped) }
        return true
    }

    /// Removes the variants that are marked. Returns true if any are left.
    @discardableResult
    mutating func removeVariants(_ marks: [Bool], at place: Int, dropping dropped: inout [CacheEntry]) -> Bool {
        guard marks.contains(true) else { return true }
        guard marks.contains(false) else {
            remove(place, dropping: &dropped)
            return false
        }
        let variants = variants(at: place)
        let remaining = zip(variants, marks).filter { !$1 }.map(\.0.entry)
        return retain(remaining, of: variants, at: place, dropping: &dropped)
    }

    /// Removes the expired variants at a place. Returns true if any are left.
    mutating func expire(_ place: Int, at now: Timestamp, dropping dropped: inout [CacheEntry]) -> Bool {
        guard case .objects(let variants) = slots[place].content else {
            guard storedUntil(place) <= now else { return true }
            remove(place, isExpired: true, dropping: &dropped)
            return false
        }
        guard variants.contains(where: { $0.entry.lifetimes.storedUntil <= now }) else { return true }
        let remaining = variants.map(\.entry).filter { now < $0.lifetimes.storedUntil }
        guard remaining.isEmpty else { return retain(remaining, of: variants, at: place, dropping: &dropped) }
        remove(place, isExpired: true, dropping: &dropped)
        return false
    }

    /// Removes a slot.
    /// - Parameter isExpired: True if all of its variants have expired.
    mutating func remove(_ place: Int, isExpired: Bool = false, dropping dropped: inout [CacheEntry]) {
        if isExpired { expirations += 1 }
        policy.remove(place, isExpired: isExpired)
        clear(place, dropping: &dropped)
    }

    /// Empties a slot that the policy does not have any more.
    mutating func clear(_ place: Int, dropping dropped: inout [CacheEntry]) {
        index.remove(place) { policy.hash(of: $0) }
        expiry.remove(place)
        switch slots[place].content {
        case .none: break
        case .packed: scopes.remove(slots[place].run, links: Int(slots[place].linkCount))
        case .hot, .objects: for variant in variants(at: place) { unlink(variant, dropping: &dropped) }
        }
        releaseBlock(at: place)
        slots.release(place)
    }
}
