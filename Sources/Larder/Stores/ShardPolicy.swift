/// The eviction policy of a shard: one of those that a store offers.
///
/// The policies are beside one another in optional values, because a value in an enum could only be changed by copying
/// it.
struct ShardPolicy: Sendable {
    private var queues: S3FIFOPolicy?
    private var bySize: SizeAndFrequencyPolicy?

    init(_ eviction: EvictionMethod, capacity: Int) {
        switch eviction.kind {
        case .byUse: queues = S3FIFOPolicy(capacity: capacity)
        case .bySizeAndUse: bySize = SizeAndFrequencyPolicy(capacity: capacity)
        }
    }

    var count: Int { queues?.count ?? bySize?.count ?? 0 }
    var bytes: Int { queues?.bytes ?? bySize?.bytes ?? 0 }

    func hash(of slot: Int) -> UInt64 { queues?.hash(of: slot) ?? bySize?.hash(of: slot) ?? 0 }
    func cost(of slot: Int) -> Int { queues?.cost(of: slot) ?? bySize?.cost(of: slot) ?? 0 }

    mutating func recall(_ hash: UInt64) -> Bool { queues?.recall(hash) ?? bySize?.recall(hash) ?? false }

    mutating func insert(_ slot: Int, cost: Int, hash: UInt64, isRecalled: Bool) {
        queues?.insert(slot, cost: cost, hash: hash, isRecalled: isRecalled)
        bySize?.insert(slot, cost: cost, hash: hash, isRecalled: isRecalled)
    }

    mutating func hit(_ slot: Int) {
        queues?.hit(slot)
        bySize?.hit(slot)
    }

    mutating func resize(_ slot: Int, to cost: Int) {
        queues?.resize(slot, to: cost)
        bySize?.resize(slot, to: cost)
    }

    mutating func evict(newUses: (Int) -> Int, isExpired: (Int) -> Bool) -> Int? {
        queues?.evict(newUses: newUses, isExpired: isExpired)
            ?? bySize?.evict(newUses: newUses, isExpired: isExpired)
    }

    mutating func move(_ slot: Int, to new: Int) {
        queues?.move(slot, to: new)
        bySize?.move(slot, to: new)
    }

    mutating func shrink(to count: Int) {
        queues?.shrink(to: count)
        bySize?.shrink(to: count)
    }

    mutating func remove(_ slot: Int, isExpired: Bool) {
        queues?.remove(slot, isExpired: isExpired)
        bySize?.remove(slot, isExpired: isExpired)
    }

    func validate() {
        queues?.validate()
        bySize?.validate()
    }
}
