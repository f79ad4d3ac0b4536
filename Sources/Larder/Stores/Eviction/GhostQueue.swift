/// The hashes of entries that were evicted lately, a bounded number of them: the oldest is dropped first.
///
/// The hashes are in a ring. An index has the place of each in the ring. A hash that is taken leaves
/// a gap in the ring, and the gaps are closed when the ring is full: they can neither fill the ring, nor keep a hash in
/// it.
struct GhostQueue: Sendable {
    /// The hashes, 0 for a gap.
    private var ring: [UInt64] = []
    private var first = 0
    /// The number of hashes and gaps in the ring.
    private var length = 0
    private var index = HashIndex()

    /// The number of hashes.
    var count: Int { index.count }

    /// The memory in bytes that the tables take.
    var allocatedBytes: Int { ring.capacity * 8 + index.allocatedBytes }

    /// Adds a hash, and drops the oldest ones beyond a limit.
    mutating func insert(_ hash: UInt64, limit: Int) {
        trim(to: max(0, limit - 1))
        let hash = max(1, hash)
        guard limit > 0, place(of: hash) == nil else { return }
        if length == ring.count { makeRoom(limit: limit) }
        let place = wrap(first + length)
        ring[place] = hash
        length += 1
        register(place)
    }

    /// Removes a hash. Returns true if it was there.
    mutating func take(_ hash: UInt64) -> Bool {
        guard let place = place(of: max(1, hash)) else { return false }
        forget(place)
        return true
    }

    /// Drops the oldest hashes beyond a limit.
    mutating func trim(to limit: Int) {
        while count > limit {
            if ring[first] != 0 { forget(first) }
            first = wrap(first + 1)
            length -= 1
        }
    }

    /// Gives back memory that is not needed for `limit` hashes.
    mutating func fit(limit: Int) {
        if ring.count > 1_024, ring.count > limit / 4 * 5 { makeRoom(limit: max(limit, count)) }
    }

    private func wrap(_ place: Int) -> Int { place < ring.count ? place : place - ring.count }

    /// Closes the gaps in the ring, and enlarges it if there are few of them.
    private mutating func makeRoom(limit: Int) {
        let bound = max(16, limit + limit / 8 + 1)
        let hasManyGaps = count * 4 < ring.count * 3
        let size = max(16, count + 1, min(hasManyGaps ? ring.count : ring.count + ring.count / 2, bound))
        var compact: [UInt64] = []
        compact.reserveCapacity(size)
        for offset in 0..<length where ring[wrap(first + offset)] != 0 { compact.append(ring[wrap(first + offset)]) }
        compact.append(contentsOf: repeatElement(0, count: size - count))
        ring = compact
        (first, length) = (0, count)
        index = HashIndex()
        for place in 0..<length { register(place) }
    }

    /// The low bits choose shards and places in the store's tables; these are other ones.
    private static func mixed(_ hash: UInt64) -> UInt64 { (hash &* 0x9E37_79B9_7F4A_7C15) >> 32 }

    private func place(of hash: UInt64) -> Int? { index.first(of: Self.mixed(hash)) { ring[$0] == hash } }

    private mutating func register(_ place: Int) { index.insert(place) { Self.mixed(ring[$0]) } }

    /// Leaves a gap in the place of a hash.
    private mutating func forget(_ place: Int) {
        index.remove(place) { Self.mixed(ring[$0]) }
        ring[place] = 0
    }

    /// Traps if the table does not have exactly the hashes of the ring; for tests.
    func validate() {
        var hashes = 0
        for offset in 0..<length {
            let place = wrap(first + offset)
            guard ring[place] != 0 else { continue }
            hashes += 1
            precondition(self.place(of: ring[place]) == place, "A hash that is not found")
        }
        precondition(hashes == count, "A lost hash")
        index.validate { Self.mixed(ring[$0]) }
        precondition(length <= ring.count, "A ring that is too long")
    }
}
