/// A cache without responses, which predicts how many requests of a trace a policy would find at a capacity.
package struct EvictionSimulation<Policy: EvictionPolicy>: Sendable {
    private var policy: Policy
    private var slots: [UInt64: Int] = [:]
    private var free: [Int] = []
    private let capacity: Int
    /// The number of requests so far.
    package private(set) var requests = 0
    /// The number of requests so far that were found.
    package private(set) var hits = 0

    /// Creates a simulation.
    /// - Parameter capacity: The sum of the costs of the entries that the cache has room for.
    package init(capacity: Int) {
        self.policy = Policy(capacity: capacity)
        self.capacity = capacity
    }

    /// The part of the requests that were found, 0 to 1.
    package var hitRatio: Double { requests == 0 ? 0 : Double(hits) / Double(requests) }

    /// Looks up an entry, and stores it if it is not found.
    /// - Parameters:
    ///   - hash: A hash of the entry's key that no other key has.
    ///   - cost: The part of the capacity that the entry takes.
    /// - Returns: True if the entry was found.
    @discardableResult
    package mutating func request(_ hash: UInt64, cost: Int) -> Bool {
        requests += 1
        if let slot = slots[hash] {
            hits += 1
            policy.hit(slot)
            return true
        }
        guard cost <= min(capacity, Int(UInt32.max)) else { return false }
        let isRecalled = policy.recall(hash)
        while policy.bytes + cost > capacity, let slot = policy.evict(isExpired: { _ in false }) {
            slots[policy.hash(of: slot)] = nil
            free.append(slot)
        }
        let slot = free.popLast() ?? slots.count
        slots[hash] = slot
        policy.insert(slot, cost: cost, hash: hash, isRecalled: isRecalled)
        return false
    }
}
