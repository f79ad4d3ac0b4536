import HTTPCaching
import NIOCore

// MARK: - Reading slots

extension MemoryShard {
    /// The memory in bytes that an entry takes in the tables: its slot, the cell of its key, its nodes in the policy
    /// and in the wheel, and nine tenths of a remembered hash. The arrays have spare room.
    static let slotCost = 96

    /// The size in bytes of the hot entries that a shard may have, however little it has stored.
    static let hotMinimum = 256 * 1_024

    /// Returns the slot of a key; nil if it has none.
    func place(of key: CacheKey) -> Int? {
        let hash = Self.hash(of: key)
        return index.first(of: hash) { policy.hash(of: $0) == hash && hasKey(key, at: $0) }
    }

    private func hasKey(_ key: CacheKey, at place: Int) -> Bool {
        switch slots[place].content {
        case .none: false
        case .packed(let packed): packed.hasKey(key)
        case .hot(let hot): hot.entry.location.key == key
        case .objects(let variants): variants[0].entry.location.key == key
        }
    }

    /// Returns the slots of the keys that are spelled like the key of a scope.
    func places(of scope: InvalidationScope.Fingerprint) -> [Int] {
        guard scope.kind == .key else { return [] }
        var places: [Int] = []
        while let place = index.first(
            of: UInt64(scope.value),
            where: { !places.contains($0) && Self.scope(ofHash: policy.hash(of: $0)) == scope }
        ) { places.append(place) }
        return places
    }

    static func hash(of key: CacheKey) -> UInt64 { UInt64(UInt(bitPattern: key.hash)) }

    static func scope(ofHash hash: UInt64) -> InvalidationScope.Fingerprint {
        InvalidationScope.Fingerprint(.key, hash: Int(truncatingIfNeeded: hash))
    }

    /// Returns the time at which the last of a slot's variants expires.
    func storedUntil(_ place: Int) -> Timestamp { Self.storedUntil(slots[place]) }

    static func storedUntil(_ slot: Slot) -> Timestamp {
        switch slot.content {
        case .none: .distantPast
        case .packed(let packed): packed.storedUntil
        case .hot(let hot): hot.entry.lifetimes.storedUntil
        case .objects(let variants): variants.reduce(.distantPast) { max($0, $1.entry.lifetimes.storedUntil) }
        }
    }

    /// Returns the links of the variants of a slot.
    func runs(at place: Int) -> [ScopeIndex.Run] {
        switch slots[place].content {
        case .none: []
        case .packed, .hot: [slots[place].run]
        case .objects(let variants): variants.map(\.run)
        }
    }

    /// Returns the numbers of the read versions of the variants of a slot.
    func readNumbers(at place: Int) -> [UInt64] {
        switch slots[place].content {
        case .none: []
        case .packed(let packed): [packed.readNumber]
        case .hot(let hot): [hot.entry.readVersion.number]
        case .objects(let variants): variants.map(\.entry.readVersion.number)
        }
    }

    /// Returns what is compared with the log of the variants of a slot.
    func compared(at place: Int) -> [ComparedEntry] {
        switch slots[place].content {
        case .none: return []
        case .packed(let packed):
            guard let epoch else { preconditionFailure("The epoch of packed entries is known") }
            let version = LogVersion(epoch: epoch, number: packed.readNumber)
            return [ComparedEntry(readVersion: version, scopes: packedScopes(at: place))]
        case .hot(let hot): return [Self.compared(hot.entry)]
        case .objects(let variants): return variants.map { Self.compared($0.entry) }
        }
    }

    static func compared(_ entry: CacheEntry) -> ComparedEntry {
        ComparedEntry(readVersion: entry.readVersion, scopes: entry.scopes)
    }

    private static let everything = InvalidationScope.everything.fingerprint

    /// Returns the scopes of a packed entry. They follow from its links: see ``chains(of:)``.
    private func packedScopes(at place: Int) -> [InvalidationScope.Fingerprint] {
        let links = scopes.scopes(of: slots[place].run, links: Int(slots[place].linkCount))
        var all = [Self.everything]
        all.reserveCapacity(links.count + 4)
        if links.first?.kind != .key { all.append(Self.scope(ofHash: policy.hash(of: place))) }
        all += links
        for link in links where link.kind == .path { all.append(link.ofOtherKind) }
        // Values, which have no prefix, are not packed.
        all.append(Self.root)
        return all
    }

    func unpacked(_ packed: PackedEntry, at place: Int) -> CacheEntry {
        guard let epoch else { preconditionFailure("The epoch of packed entries is known") }
        let hash = Int(bitPattern: UInt(policy.hash(of: place)))
        return packed.entry(epoch: epoch, hash: hash, scopes: packedScopes(at: place), heads: heads)
    }

    /// Returns the variants of a slot, the newest first.
    func variants(at place: Int) -> [Variant] {
        let slot = slots[place]
        switch slot.content {
        case .none: return []
        case .packed(let packed):
            return [Variant(entry: unpacked(packed, at: place), run: slot.run, linkCount: slot.linkCount)]
        case .hot(let hot): return [Variant(entry: hot.entry, run: slot.run, linkCount: slot.linkCount)]
        case .objects(let variants): return variants
        }
    }

    /// Returns the scopes by whose chains an entry is found. It is found without a chain by its own key, and by the
    /// chain of its path if the prefix with the same text is invalidated.
    static func chains(of entry: CacheEntry) -> [InvalidationScope.Fingerprint] {
        let scopes = entry.namedScopes
        let key = scope(ofHash: hash(of: entry.location.key))
        return scopes.filter { scope in
            scope != key && scope != root && !(scope.kind == .prefix && scopes.contains(scope.ofOtherKind))
        }
    }

    /// The prefix that all paths have: all entries belong to it, except values. There is no chain for it.
    static let root = InvalidationScope.prefix(.root).fingerprint
}
