import DequeModule
import Larder

/// The variants of each key that this process has used, in order, so that storing a variant evicts the least recently
/// used: a hit writes nothing to Redis.
///
/// The order is an approximation: uses in other processes do not count, and forgotten uses count as none. The number of
/// keys is bounded; the oldest keys are forgotten.
struct VariantUses {
    private var marks: [CacheKey: [String: UseMark]] = [:]
    private var order: Deque<CacheKey> = []
    let limit: Int

    init(limit: Int = 10_000) { self.limit = limit }

    var count: Int { marks.count }

    /// Returns the mark of each variant that was found under a key, and forgets the marks of its other variants.
    mutating func marks(of names: [String], under key: CacheKey) -> [UseMark] {
        // One variant leaves no choice.
        guard names.count > 1 else { return names.map { _ in UseMark() } }
        let known = marks[key]
        let found = names.map { known?[$0] ?? UseMark() }
        if known == nil {
            order.append(key)
            if order.count > limit, let oldest = order.popFirst() { marks[oldest] = nil }
        }
        if known == nil || known?.count != names.count || names.contains(where: { known?[$0] == nil }) {
            marks[key] = Dictionary(zip(names, found)) { first, _ in first }
        }
        return found
    }

    /// Returns the variants under a key that were used, the least recently used first.
    func used(under key: CacheKey) -> [String] {
        guard let marks = marks[key] else { return [] }
        return marks.filter { $0.value.number > 0 }.sorted { $0.value.number < $1.value.number }.map(\.key)
    }

    /// Records that a variant was stored, as a use, if the key has other variants.
    mutating func note(_ name: String, under key: CacheKey) {
        guard marks[key] != nil else { return }
        let mark = marks[key]?[name] ?? UseMark()
        mark.mark()
        marks[key]?[name] = mark
    }

    /// Traps if the tables disagree; for tests.
    func validate() {
        precondition(marks.count == order.count && order.count <= limit, "Too many keys, or a wrong order")
        precondition(Set(order) == Set(marks.keys), "An order of other keys")
    }
}
