/// An index of a shard's entries by scope: for each scope (key, path, prefix, tag) a chain of the entries that belong
/// to it, in the order in which they were stored.
///
/// So an invalidation finds the entries that it concerns, and examines no others. All entries that belong to a scope
/// when it is invalidated precede those that are stored later, so the invalid ones are at the beginning of its chain.
/// An entry is identified by its object identifier and the slot that holds it.
struct ScopeIndex {
    /// The memory in bytes that a link takes, with the spare room of its array; charged to the entry that it belongs
    /// to.
    static let linkCost = 64

    private struct Link {
        let scope: InvalidationScope.Fingerprint
        let entry: ObjectIdentifier
        let slot: Int32
        var older: Int32
        var newer: Int32
        /// The next link of the same slot.
        var sibling: Int32
    }

    private struct Chain {
        var oldest: Int32
        var newest: Int32
    }

    private var links: [Link] = []
    private var chains: [InvalidationScope.Fingerprint: Chain] = [:]
    /// The first link of each slot; -1 if there is none.
    private var firsts: [Int32] = []
    /// The first link that is in no chain; the others follow as siblings.
    private var free: Int32 = -1
    private(set) var count = 0

    /// Adds an entry to the chains of its scopes.
    mutating func add(_ entry: ObjectIdentifier, at slot: Int, scopes: some Sequence<InvalidationScope.Fingerprint>) {
        while firsts.count <= slot { firsts.append(-1) }
        for scope in scopes {
            let newest = chains[scope]?.newest ?? -1
            let link = Link(
                scope: scope,
                entry: entry,
                slot: Int32(slot),
                older: newest,
                newer: -1,
                sibling: firsts[slot]
            )
            let place = place(for: link)
            firsts[slot] = place
            if newest >= 0 {
                links[Int(newest)].newer = place
                chains[scope]?.newest = place
            } else {
                chains[scope] = Chain(oldest: place, newest: place)
            }
            count += 1
        }
    }

    /// Removes an entry from its chains.
    mutating func remove(_ entry: ObjectIdentifier, at slot: Int) {
        guard slot < firsts.count else { return }
        var previous: Int32 = -1
        var place = firsts[slot]
        while place >= 0 {
            let next = links[Int(place)].sibling
            if links[Int(place)].entry == entry {
                if previous >= 0 { links[Int(previous)].sibling = next } else { firsts[slot] = next }
                unchain(place)
                links[Int(place)].sibling = free
                free = place
                count -= 1
            } else {
                previous = place
            }
            place = next
        }
    }

    /// Returns the entry that has belonged to a scope for longest; nil if none does.
    func oldest(of scope: InvalidationScope.Fingerprint) -> (entry: ObjectIdentifier, slot: Int)? {
        guard let place = chains[scope]?.oldest else { return nil }
        return (links[Int(place)].entry, Int(links[Int(place)].slot))
    }

    /// Returns the entries that belong to a scope, the oldest first, at most `limit`.
    func entries(of scope: InvalidationScope.Fingerprint, upTo limit: Int) -> [(entry: ObjectIdentifier, slot: Int)] {
        var entries: [(entry: ObjectIdentifier, slot: Int)] = []
        var place = chains[scope]?.oldest ?? -1
        while place >= 0, entries.count < limit {
            entries.append((links[Int(place)].entry, Int(links[Int(place)].slot)))
            place = links[Int(place)].newer
        }
        return entries
    }

    private mutating func place(for link: Link) -> Int32 {
        guard free >= 0 else {
            links.append(link)
            return Int32(links.count - 1)
        }
        let place = free
        free = links[Int(place)].sibling
        links[Int(place)] = link
        return place
    }

    private mutating func unchain(_ place: Int32) {
        let link = links[Int(place)]
        if link.older < 0, link.newer < 0 {
            chains[link.scope] = nil
            return
        }
        let (older, newer) = (link.older, link.newer)
        if older >= 0 { links[Int(older)].newer = newer } else { chains[link.scope]?.oldest = newer }
        if newer >= 0 { links[Int(newer)].older = older } else { chains[link.scope]?.newest = older }
    }
}

extension ScopeIndex {
    /// Returns the scopes of an entry, in any order; for tests.
    func scopes(of entry: ObjectIdentifier, at slot: Int) -> [InvalidationScope.Fingerprint] {
        var scopes: [InvalidationScope.Fingerprint] = []
        var place = slot < firsts.count ? firsts[slot] : -1
        while place >= 0 {
            if links[Int(place)].entry == entry { scopes.append(links[Int(place)].scope) }
            place = links[Int(place)].sibling
        }
        return scopes
    }

    /// Traps if the links do not form a chain for each scope and a list for each slot; for tests.
    func validate() {
        var chained = 0
        for (scope, chain) in chains {
            var (previous, place): (Int32, Int32) = (-1, chain.oldest)
            while place >= 0 {
                let link = links[Int(place)]
                precondition(link.scope == scope && link.older == previous, "A broken chain")
                chained += 1
                precondition(chained <= count, "A ring where a chain should be")
                (previous, place) = (place, link.newer)
            }
            precondition(previous == chain.newest && previous >= 0, "A chain that ends elsewhere")
        }
        var listed = 0
        for (slot, first) in firsts.enumerated() {
            var place = first
            while place >= 0 {
                precondition(links[Int(place)].slot == Int32(slot), "A link of another slot")
                listed += 1
                precondition(listed <= count, "A ring where a list should be")
                place = links[Int(place)].sibling
            }
        }
        var spare = 0
        var place = free
        while place >= 0 {
            spare += 1
            precondition(spare <= links.count, "A ring of free links")
            place = links[Int(place)].sibling
        }
        precondition(chained == count && listed == count && count + spare == links.count, "A lost link")
    }
}
