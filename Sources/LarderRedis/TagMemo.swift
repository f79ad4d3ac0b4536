import DequeModule
import Larder

/// Remembers which tags a handler gave to the response under a key, as members of the ledger, so that the next look-up
/// asks for their stamps in the same round trip.
///
/// A guess: where it is wrong, the look-up asks once more. Bounded; the oldest guesses are forgotten.
struct TagMemo {
    private var tags: [CacheKey: [String]] = [:]
    private var order: Deque<CacheKey> = []
    let limit: Int

    init(limit: Int = 10_000) { self.limit = limit }

    var count: Int { tags.count }

    subscript(key: CacheKey) -> [String] { tags[key] ?? [] }

    /// The response under a key has these tags.
    mutating func remember(_ found: [String], for key: CacheKey) {
        guard let known = tags[key] else {
            // Most handlers give none.
            guard !found.isEmpty else { return }
            tags[key] = found
            order.append(key)
            if order.count > limit, let oldest = order.popFirst() { tags[oldest] = nil }
            return
        }
        if known != found { tags[key] = found }
    }

    /// Traps where the tables disagree; for tests.
    func validate() {
        precondition(tags.count == order.count && order.count <= limit, "A guess that is never forgotten")
        precondition(Set(order) == Set(tags.keys), "A guess without its place")
    }
}
