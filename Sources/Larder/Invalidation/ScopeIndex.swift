/// An index of a shard's entries by scope: for each scope (key, path, prefix, tag) a chain of the entries that belong
/// to it, in the order in which they were stored.
///
/// So an invalidation finds the entries that it concerns, and examines no others. All entries that belong to a scope
/// when it is invalidated precede those that are stored later, so the invalid ones are at the beginning of its chain.
///
/// The links of an entry are in *groups* of three, in an array of 32-bit words: a word for the entry's slot, with the
/// highest bit set, or for its next group, and three words for each link: the fingerprint of the scope, and the places
/// of the older and the newer link in its chain. The older link of the oldest is the newest. An index
/// has the place of the oldest link of each chain. All groups have the same size, so that each of them can be used
/// again for any entry, and the last one can move into a free one when entries become fewer.
struct ScopeIndex: Sendable {
    typealias Fingerprint = InvalidationScope.Fingerprint

    /// The links of an entry: the number of its first group, or ``noRun`` if it has none.
    typealias Run = UInt32

    static let noRun = Run.max

    /// Returns the memory in bytes that the links of an entry take, with their part of the table.
    static func cost(links: Int) -> Int { 4 * groupSize * groupCount(links) + 8 * links }

    /// The number of links of a group.
    private static let width = 3
    /// The number of words of a group.
    private static let groupSize = 1 + 3 * width
    private static let slotBit: UInt32 = 1 << 31
    /// The place of no link, and the number of no group.
    private static let none: UInt32 = slotBit - 1
    /// The older link of a link that is not used.
    private static let unused = UInt32.max

    private static func groupCount(_ links: Int) -> Int { (links + width - 1) / width }

    private var words: [UInt32] = []
    /// The places of the oldest links of all chains.
    private var chains = HashIndex()
    /// The first free group. The first word of a free group is the next one, and the second word the previous one.
    private var firstFree = none
    private var freeCount = 0
    /// The largest number of words since the array was allocated.
    private var touched = 0
    /// The number of links.
    private(set) var count = 0

    /// The memory in bytes of groups that are not used.
    var unusedBytes: Int { 4 * (touched - words.count + Self.groupSize * freeCount) }

    /// Returns the memory in bytes by which the index would grow with the links of an entry.
    func growth(links: Int) -> Int {
        4 * Self.groupSize * max(0, Self.groupCount(links) - freeCount) + 8 * links
    }

    /// Adds an entry to the chains of its scopes.
    mutating func add(_ slot: Int, scopes: [Fingerprint]) -> Run {
        guard !scopes.isEmpty else { return Self.noRun }
        // From the last group to the first, since each has the number of the next.
        var (header, start) = (UInt32(slot) | Self.slotBit, scopes.count)
        while start > 0 {
            start = (start - 1) / Self.width * Self.width
            let group = allocate()
            words[base(group)] = header
            for link in 0..<Self.width {
                let place = base(group) + 1 + 3 * link
                words[place + 1] = Self.unused
                if start + link < scopes.count { words[place] = scopes[start + link].value }
            }
            header = group
        }
        for link in scopes.indices { append(place(link, of: header)) }
        count += scopes.count
        return header
    }

    /// Removes an entry from its chains.
    /// - Parameter links: The number of scopes that it was added with.
    mutating func remove(_ run: Run, links: Int) {
        var group = run
        for link in 0..<links {
            unchain(UInt32(base(group) + 1 + 3 * (link % Self.width)))
            guard link % Self.width == Self.width - 1 || link == links - 1 else { continue }
            let next = words[base(group)]
            free(group)
            group = next
        }
        count -= links
    }

    /// Returns the entry that has belonged to a scope for longest; nil if none does.
    func oldest(of scope: Fingerprint) -> (slot: Int, link: UInt32)? {
        oldestLink(of: scope).map { (slot(of: $0), $0) }
    }

    /// Returns the entries that belong to a scope, the oldest first, at most `limit`.
    func entries(of scope: Fingerprint, upTo limit: Int) -> [(slot: Int, link: UInt32)] {
        guard var place = oldestLink(of: scope) else { return [] }
        var entries: [(slot: Int, link: UInt32)] = []
        while place != Self.none, entries.count < limit {
            entries.append((slot(of: place), place))
            place = newer(place)
        }
        return entries
    }

    /// Returns true if a link is one of an entry's links.
    func contains(_ link: UInt32, in run: Run) -> Bool { contains(group: link / UInt32(Self.groupSize), in: run) }

    private func contains(group wanted: UInt32, in run: Run) -> Bool {
        guard run != Self.noRun else { return false }
        var group = run
        while group != wanted {
            guard words[base(group)] & Self.slotBit == 0 else { return false }
            group = words[base(group)]
        }
        return true
    }

    /// Returns the scopes of an entry.
    func scopes(of run: Run, links: Int) -> [Fingerprint] {
        var (scopes, group): ([Fingerprint], Run) = ([], run)
        scopes.reserveCapacity(links)
        for link in 0..<links {
            if link > 0, link % Self.width == 0 { group = words[base(group)] }
            scopes.append(scope(UInt32(base(group) + 1 + 3 * (link % Self.width))))
        }
        return scopes
    }

    // MARK: Links

    private func base(_ group: UInt32) -> Int { Int(group) * Self.groupSize }

    private func place(_ link: Int, of run: Run) -> UInt32 {
        var group = run
        for _ in 0..<link / Self.width { group = words[base(group)] }
        return UInt32(base(group) + 1 + 3 * (link % Self.width))
    }

    private func scope(_ place: UInt32) -> Fingerprint { Fingerprint(value: words[Int(place)]) }
    private func older(_ place: UInt32) -> UInt32 { words[Int(place) + 1] }
    private func newer(_ place: UInt32) -> UInt32 { words[Int(place) + 2] }

    private func slot(of link: UInt32) -> Int { slot(ofGroup: link / UInt32(Self.groupSize)) }

    private func slot(ofGroup group: UInt32) -> Int {
        var header = words[base(group)]
        while header & Self.slotBit == 0 { header = words[base(header)] }
        return Int(header & ~Self.slotBit)
    }

    private mutating func append(_ place: UInt32) {
        let index = Int(place)
        words[index + 2] = Self.none
        guard let oldest = oldestLink(of: scope(place)) else {
            words[index + 1] = place
            return chains.insert(index) { UInt64(words[$0]) }
        }
        let newest = older(oldest)
        words[index + 1] = newest
        words[Int(newest) + 2] = place
        words[Int(oldest) + 1] = place
    }

    private mutating func unchain(_ place: UInt32) {
        guard let oldest = oldestLink(of: scope(place)) else { preconditionFailure("A link must be in a chain") }
        let (older, newer) = (older(place), newer(place))
        if place == oldest {
            if newer == Self.none { return chains.remove(Int(place)) { UInt64(words[$0]) } }
            words[Int(newer) + 1] = older
            chains.move(Int(place), to: Int(newer), hash: UInt64(words[Int(place)]))
        } else {
            words[Int(older) + 2] = newer
            // The newest link has changed if there is no newer one.
            words[Int(newer == Self.none ? oldest : newer) + 1] = older
        }
    }

    // MARK: Groups

    private mutating func allocate() -> UInt32 {
        guard firstFree != Self.none else {
            let group = UInt32(words.count / Self.groupSize)
            words.append(contentsOf: repeatElement(0, count: Self.groupSize))
            precondition(words.count < Int(Self.none), "More links than 31 bits can count")
            touched = max(touched, words.count)
            return group
        }
        let group = firstFree
        leaveFree(group)
        return group
    }

    private mutating func free(_ group: UInt32) {
        words[base(group)] = firstFree
        words[base(group) + 1] = Self.none
        // The first link of a group that is in use is used.
        words[base(group) + 2] = Self.unused
        if firstFree != Self.none { words[base(firstFree) + 1] = group }
        firstFree = group
        freeCount += 1
    }

    private mutating func leaveFree(_ group: UInt32) {
        let (next, previous) = (words[base(group)], words[base(group) + 1])
        if previous == Self.none { firstFree = next } else { words[base(previous)] = next }
        if next != Self.none { words[base(next) + 1] = previous }
        freeCount -= 1
    }

    // MARK: Chains

    /// Returns the place of the oldest link of a scope; nil if no entry belongs to it.
    private func oldestLink(of scope: Fingerprint) -> UInt32? {
        chains.first(of: UInt64(scope.value)) { words[$0] == scope.value }.map { UInt32($0) }
    }
}

// MARK: - Moving groups

extension ScopeIndex {
    /// True if so many groups are free that the array should become shorter.
    var isSparse: Bool { freeCount > 64 && freeCount * Self.groupSize > words.count / 16 }

    /// Removes the last group from the array, if it is free.
    /// - Returns: The slot to which the group belongs; nil if it was removed, or if there is none.
    mutating func shrink() -> Int? {
        guard !words.isEmpty else { return nil }
        let last = UInt32(words.count / Self.groupSize - 1)
        guard words[base(last) + 2] == Self.unused else { return slot(ofGroup: last) }
        leaveFree(last)
        words.removeLast(Self.groupSize)
        // The memory is given back when an eighth of it is not used: all at once, as an array grows.
        if words.count < touched / 8 * 7 {
            words = words.fitted
            touched = words.count
        }
        return nil
    }

    /// Moves the last group of the array into a free one, if it belongs to an entry.
    /// - Returns: The new number of the entry's first group; nil if the group belongs to another entry.
    mutating func moveLastGroup(of run: Run) -> Run? {
        let old = UInt32(words.count / Self.groupSize - 1)
        guard firstFree != Self.none, contains(group: old, in: run) else { return nil }
        let new = allocate()
        words[base(new)] = words[base(old)]
        for link in 0..<Self.width {
            let (from, to) = (UInt32(base(old) + 1 + 3 * link), UInt32(base(new) + 1 + 3 * link))
            words[Int(to) + 1] = Self.unused
            if older(from) != Self.unused { moveLink(from, to) }
        }
        // The old group is free from now on, and is removed by the next ``shrink()``.
        free(old)
        guard run != old else { return new }
        var group = run
        while words[base(group)] != old { group = words[base(group)] }
        words[base(group)] = new
        return run
    }

    private mutating func moveLink(_ from: UInt32, _ to: UInt32) {
        guard let oldest = oldestLink(of: scope(from)) else { preconditionFailure("A link must be in a chain") }
        for word in 0..<3 { words[Int(to) + word] = words[Int(from) + word] }
        let newer = newer(from)
        if from == oldest {
            chains.move(Int(from), to: Int(to), hash: UInt64(words[Int(from)]))
            // The older link of the oldest is the newest, which is itself if it is the only one.
            words[Int(newer == Self.none ? to : newer) + 1] = to
        } else {
            words[Int(older(from)) + 2] = to
            words[Int(newer == Self.none ? oldest : newer) + 1] = to
        }
    }

    /// Changes the slot that an entry belongs to.
    mutating func setSlot(_ slot: Int, of run: Run) {
        guard run != Self.noRun else { return }
        var group = run
        while words[base(group)] & Self.slotBit == 0 { group = words[base(group)] }
        words[base(group)] = UInt32(slot) | Self.slotBit
    }

    /// Traps if the links do not form a chain for each scope; for tests.
    func validate() {
        chains.validate { UInt64(words[$0]) }
        var chained = 0
        for oldest in chains.slots.map({ UInt32($0) }) {
            precondition(oldestLink(of: scope(oldest)) == oldest, "A chain that is not found")
            var (previous, place) = (older(oldest), oldest)
            while place != Self.none {
                precondition(scope(place) == scope(oldest), "A link of another scope")
                precondition(place == oldest || older(place) == previous, "A broken chain")
                chained += 1
                precondition(chained <= count, "A ring where a chain should be")
                (previous, place) = (place, newer(place))
            }
            precondition(older(oldest) == previous, "A chain that ends elsewhere")
        }
        precondition(chained == count, "A lost link")
        var (free, previous, group) = (0, Self.none, firstFree)
        while group != Self.none {
            precondition(words[base(group) + 1] == previous && words[base(group) + 2] == Self.unused, "A used group")
            free += 1
            precondition(free <= freeCount, "A ring of free groups")
            (previous, group) = (group, words[base(group)])
        }
        precondition(free == freeCount, "A lost group")
        precondition((words.count / Self.groupSize - free) * Self.width >= count, "A group that is used twice")
        precondition(touched >= words.count, "Words that are not counted")
    }
}
