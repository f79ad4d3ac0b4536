import DequeModule
import Larder

/// A variant of a key.
struct VariantID: Hashable, Sendable {
    let key: CacheKey
    /// The field of the hash.
    let field: String
}

/// The tags that handlers gave to responses, as members of the log, so that the next look-up asks for their versions in
/// the same round trip. `Key` identifies the response: a variant of a key.
///
/// The memo is a prediction: if it is wrong, the look-up asks once more. It is bounded; the oldest keys are forgotten.
struct TagMemo<Key: Hashable & Sendable>: Sendable {
    private var tags: [Key: [String]] = [:]
    private var order: Deque<Key> = []
    /// The number of tags remembered for all keys together.
    private(set) var tagCount = 0
    /// The largest number of keys.
    let limit: Int
    /// The largest number of tags of all keys together.
    let tagLimit: Int
    /// The largest number of tags that are predicted for one key, so that one command can ask for them.
    static var tagsPerKey: Int { 2_048 }

    init(limit: Int = 10_000, tagLimit: Int = 200_000) {
        self.limit = limit
        self.tagLimit = tagLimit
    }

    var count: Int { tags.count }

    subscript(key: Key) -> [String] { tags[key] ?? [] }

    /// Remembers the tags of the response under a key.
    mutating func remember(_ found: [String], for key: Key) {
        let found = found.count > Self.tagsPerKey ? Array(found.prefix(Self.tagsPerKey)) : found
        if let known = tags[key] {
            guard known != found else { return }
            tagCount -= known.count
        } else {
            // Most handlers give no tags.
            guard !found.isEmpty else { return }
            order.append(key)
        }
        tags[key] = found
        tagCount += found.count
        while order.count > limit || tagCount > tagLimit, let oldest = order.popFirst() {
            tagCount -= tags.removeValue(forKey: oldest)?.count ?? 0
        }
    }

    /// Traps if the tables disagree; for tests.
    func validate() {
        precondition(tags.count == order.count && order.count <= limit, "Too many keys, or a wrong order")
        precondition(Set(order) == Set(tags.keys), "An order of other keys")
        precondition(
            tagCount == tags.values.reduce(0) { $0 + $1.count } && tagCount <= tagLimit,
            "A wrong count of tags"
        )
    }
}
