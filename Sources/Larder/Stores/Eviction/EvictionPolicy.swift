/// A policy that decides which entry of a bounded store is evicted next.
///
/// Slots are small integers that the store has given to its entries. A policy holds what it needs to know of a slot:
/// the entry's hash and its cost. It has no lock and no clock. The order of calls for a new entry is: ``recall(_:)``,
/// then ``evict(newUses:isExpired:)`` until there is room, then ``insert(_:cost:hash:isRecalled:)``.
package protocol EvictionPolicy: Sendable {
    /// Creates a policy without entries.
    /// - Parameter capacity: The sum of the costs that the store has room for.
    init(capacity: Int)

    /// The number of entries.
    var count: Int { get }

    /// The sum of the costs of all entries.
    var bytes: Int { get }

    /// Returns true if the entry with this hash was evicted lately, and forgets it.
    mutating func recall(_ hash: UInt64) -> Bool

    /// Adds an entry.
    /// - Parameter isRecalled: The result of ``recall(_:)`` for the entry's hash.
    mutating func insert(_ slot: Int, cost: Int, hash: UInt64, isRecalled: Bool)

    /// Notes that an entry was found.
    mutating func hit(_ slot: Int)

    /// Changes the cost of an entry, which keeps its place.
    mutating func resize(_ slot: Int, to cost: Int)

    /// Chooses an entry, removes it and returns its slot; nil if there are no entries.
    /// - Parameters:
    ///   - newUses: Returns the number of uses of an entry that ``hit(_:)`` was not called for, once. It is called for
    ///     each entry that is examined.
    ///   - isExpired: Returns true if an entry cannot be used any more. Such an entry is chosen at once.
    mutating func evict(newUses: (Int) -> Int, isExpired: (Int) -> Bool) -> Int?

    /// Removes an entry that was not evicted.
    /// - Parameter isExpired: True if the entry has expired. Its key may be stored again soon, so that its hash is
    ///   remembered like that of an evicted one.
    mutating func remove(_ slot: Int, isExpired: Bool)

    /// Moves an entry to a slot that is not in use.
    mutating func move(_ slot: Int, to new: Int)

    /// Gives back the memory of slots that are not in use.
    /// - Parameter count: The number of slots that stay, the first ones.
    mutating func shrink(to count: Int)

    /// Returns the hash of an entry.
    func hash(of slot: Int) -> UInt64

    /// Returns the cost of an entry.
    func cost(of slot: Int) -> Int

    /// Traps if the queues are inconsistent; for tests.
    func validate()
}

extension EvictionPolicy {
    /// Chooses an entry in the same way, if ``hit(_:)`` was called for all uses.
    package mutating func evict(isExpired: (Int) -> Bool) -> Int? {
        evict(newUses: { _ in 0 }, isExpired: isExpired)
    }
}

/// The limit of the work that one eviction does: it examines this many entries, and then evicts the next one.
let evictionScanLimit = 64
