import DequeModule
import HTTPCaching

/// Remembers for a while which keys were found uncacheable, so that requests for them do not wait for one another.
struct RefusalMemo {
    private var refusedUntil: [CacheKey: Timestamp] = [:]
    /// Keys in the order they were refused; one that was refused again since, or forgotten, is passed over.
    private var order: Deque<(key: CacheKey, until: Timestamp)> = []
    private let limit: Int
    private let span: Duration

    /// Room for `limit` keys, each for `span`.
    init(limit: Int, span: Duration) {
        self.limit = limit
        self.span = span
    }

    var count: Int { refusedUntil.count }

    /// Whether the key was refused not long ago.
    func contains(_ key: CacheKey, at now: Timestamp) -> Bool {
        guard !refusedUntil.isEmpty, let until = refusedUntil[key] else { return false }
        return now < until
    }

    /// The key's response was refused.
    mutating func add(_ key: CacheKey, at now: Timestamp) {
        let until = now.advanced(by: span)
        refusedUntil[key] = until
        order.append((key, until))
        while let oldest = order.first, order.count > limit || oldest.until <= now {
            order.removeFirst()
            if refusedUntil[oldest.key] == oldest.until { refusedUntil[oldest.key] = nil }
        }
    }

    /// The key's response was stored after all.
    mutating func forget(_ key: CacheKey) {
        guard !refusedUntil.isEmpty else { return }
        refusedUntil[key] = nil
    }

    /// Traps where the tables disagree; for tests.
    func validate() {
        precondition(order.count <= limit && refusedUntil.count <= order.count, "A memo that grows")
        let queued = Dictionary(order.map { ($0.key, $0.until) }, uniquingKeysWith: max)
        for (key, until) in refusedUntil {
            precondition(queued[key] == until, "A refusal that is never forgotten")
        }
    }
}
