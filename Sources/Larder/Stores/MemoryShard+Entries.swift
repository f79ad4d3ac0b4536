import HTTPCaching

// MARK: - Listing entries, and making them stale

extension MemoryShard {
    /// The largest number of entries that are looked for in the index of scopes. If a selection may have more, the
    /// slots are examined one by one.
    private static let indexLimit = 1_024

    /// A part of a shard's keys.
    struct KeyBatch {
        var keys: [(place: Int, key: CacheKey, clauses: [Int])] = []
        /// The slot below which the listing continues; nil if it is complete.
        var next: Int?
        var examined = 0
    }

    /// Returns the keys of a part of the slots, in falling order, of which one hold of the lock examines at most
    /// ``batchLimit``. When the table shrinks, entries move from the last slots to lower ones, so that none is missed.
    /// - Parameters:
    ///   - place: The slot below which the listing continues; nil for all slots.
    ///   - limit: The largest number of keys; at least 1.
    func keys(
        below place: Int?,
        upTo limit: Int,
        matching prefilter: EntryMatcher<InvalidationScope.Fingerprint>,
        _ matcher: EntryMatcher<String>,
        at now: Timestamp,
        isValid: (ComparedEntry) -> Validity
    ) -> KeyBatch {
        let end = min(place ?? slots.count, slots.count)
        var batch = KeyBatch()
        func examine(_ place: Int) {
            batch.examined += 1
            guard mayMatch(place, prefilter),
                let (key, clauses) = match(place, matcher, at: now, isValid: isValid)
            else { return }
            batch.keys.append((place, key, clauses))
        }
        if let places = indexedPlaces(prefilter) {
            for place in places where place < end {
                if batch.keys.count >= limit || batch.examined >= Self.batchLimit { return batch }
                batch.next = place
                examine(place)
            }
            batch.next = nil
            return batch
        }
        var place = end
        while place > 0, batch.keys.count < limit, batch.examined < Self.batchLimit {
            place -= 1
            examine(place)
        }
        batch.next = place > 0 ? place : nil
        return batch
    }

    /// Returns the slots of the entries that a selection may have, in falling order; nil if these may be many.
    private func indexedPlaces(_ matcher: EntryMatcher<InvalidationScope.Fingerprint>) -> [Int]? {
        guard let scopes = matcher.necessaryScopes, scopes.count <= Self.indexLimit else { return nil }
        var places: Set<Int> = []
        for scope in scopes {
            switch scope.kind {
            case .key:
                places.formUnion(self.places(of: scope))
                // Entries with another spelling of the key have a chain.
                guard add(scope, to: &places) else { return nil }
            case .prefix where scope == Self.root: return nil
            case .prefix: guard add(scope, to: &places), add(scope.ofOtherKind, to: &places) else { return nil }
            case .other where scope == InvalidationScope.everything.fingerprint: return nil
            case .path, .other: guard add(scope, to: &places) else { return nil }
            }
        }
        return places.sorted(by: >)
    }

    private func add(_ scope: InvalidationScope.Fingerprint, to places: inout Set<Int>) -> Bool {
        let entries = scopes.entries(of: scope, upTo: Self.indexLimit)
        for entry in entries { places.insert(entry.slot) }
        return entries.count < Self.indexLimit && places.count < Self.indexLimit
    }

    private func mayMatch(_ place: Int, _ prefilter: EntryMatcher<InvalidationScope.Fingerprint>) -> Bool {
        compared(at: place).contains { prefilter.mayHold(for: $0.scopes) }
    }

    private func match(
        _ place: Int,
        _ matcher: EntryMatcher<String>,
        at now: Timestamp,
        isValid: (ComparedEntry) -> Validity
    ) -> (CacheKey, clauses: [Int])? {
        guard now < storedUntil(place), matcher.mayHold(for: key(at: place)) else { return nil }
        var clauses: Set<Int> = []
        var key: CacheKey?
        for entry in usable(at: place, now, isValid: isValid) {
            key = entry.location.key
            clauses.formUnion(matcher.clauses(holdingFor: entry.scopeTexts, entry.location.key))
        }
        guard let key, !clauses.isEmpty else { return nil }
        return (key, clauses.sorted())
    }

    private func key(at place: Int) -> CacheKey {
        switch slots[place].content {
        case .none: preconditionFailure("An empty slot has no key")
        case .packed(let packed): packed.key(hash: Int(bitPattern: UInt(policy.hash(of: place))))
        case .hot(let hot): hot.entry.location.key
        case .objects(let variants): variants[0].entry.location.key
        }
    }

    /// Returns the entries at a place that are neither expired nor invalidated, the newest first.
    private func usable(_ variants: [Variant], _ now: Timestamp, isValid: (ComparedEntry) -> Validity) -> [CacheEntry] {
        variants.map(\.entry).filter { now < $0.lifetimes.storedUntil && isValid(Self.compared($0)).isValid }
    }

    private func usable(at place: Int, _ now: Timestamp, isValid: (ComparedEntry) -> Validity) -> [CacheEntry] {
        usable(variants(at: place), now, isValid: isValid)
    }

    /// Returns the entries under a key that are neither expired nor invalidated, the newest first. It is no use of
    /// them.
    func entries(under key: CacheKey, at now: Timestamp, isValid: (ComparedEntry) -> Validity) -> [CacheEntry] {
        place(of: key).map { usable(at: $0, now, isValid: isValid) } ?? []
    }

    /// Ends the freshness of the selected entries under a key, and returns their number.
    ///
    /// Each is replaced by a copy, which is the newest of its chains from now on. That keeps their order: it is valid
    /// now, as an entry is that is stored now.
    mutating func expire(
        _ key: CacheKey,
        matching matcher: EntryMatcher<String>,
        at now: Timestamp,
        isValid: (ComparedEntry) -> Validity,
        dropping dropped: inout [CacheEntry]
    ) -> Int {
        guard let place = place(of: key) else { return 0 }
        let variants = variants(at: place)
        let selected = usable(variants, now, isValid: isValid).filter { entry in
            !matcher.clauses(holdingFor: entry.scopeTexts, key).isEmpty
        }
        let fresh = selected.filter { now < $0.lifetimes.freshUntil }
        guard !fresh.isEmpty else { return selected.count }
        let entries = variants.map(\.entry).map { entry in
            fresh.contains { $0 === entry } ? entry.endingFreshness(at: now) : entry
        }
        for entry in fresh { noteUnswept(entry.readVersion.number) }
        replace(variants, by: entries, at: place, dropping: &dropped)
        makeRoom(at: now, dropping: &dropped)
        shrinkTables()
        return selected.count
    }
}
