import DequeModule
import HTTPCaching

/// Remembers keys for a while, and a bounded number of them: which were found uncacheable, so that requests for them do
/// not wait for one another, and whose refresh failed, so that not every stale answer asks a failing origin again.
struct KeyMemo<Key: Hashable & Sendable>: Sendable {
    private var rememberedUntil: [Key: Timestamp] = [:]
    /// Keys in the order they were added; one that was added again since, or forgotten, is passed over.
    private var order: Deque<(key: Key, until: Timestamp)> = []
    private let limit: Int
    private let span: Duration

    /// Room for `limit` keys, each for `span`.
    init(limit: Int, span: Duration) {
        self.limit = limit
        self.span = span
    }

    var count: Int { rememberedUntil.count }

    /// Whether the key was added not long ago.
    func contains(_ key: Key, at now: Timestamp) -> Bool {
        guard !rememberedUntil.isEmpty, let until = rememberedUntil[key] else { return false }
        return now < until
    }

    /// Remembers a key from now on.
    mutating func add(_ key: Key, at now: Timestamp) {
        let until = now.advanced(by: span)
        rememberedUntil[key] = until
        order.append((key, until))
        while let oldest = order.first, order.count > limit || oldest.until <= now {
            order.removeFirst()
            if rememberedUntil[oldest.key] == oldest.until { rememberedUntil[oldest.key] = nil }
        }
    }

    /// The key is as any other again.
    mutating func forget(_ key: Key) {
        guard !rememberedUntil.isEmpty else { return }
        rememberedUntil[key] = nil
    }

    /// Traps where the tables disagree; for tests.
    func validate() {
        precondition(order.count <= limit && rememberedUntil.count <= order.count, "A memo that grows")
        let queued = Dictionary(order.map { ($0.key, $0.until) }, uniquingKeysWith: max)
        for (key, until) in rememberedUntil {
            precondition(queued[key] == until, "A key that is never forgotten")
        }
    }
}
