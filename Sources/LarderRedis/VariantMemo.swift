import DequeModule
import HTTPCaching
import Larder
import NIOCore

/// The variants that were listed under each key, so that the next look-up asks for the right one in the same round trip
/// as for the list.
///
/// The memo is a prediction: if it is wrong, the look-up asks once more. It is bounded; the oldest keys are forgotten.
/// For an unknown key it predicts the name that a response would be stored under by one of the rules seen last.
struct VariantMemo {
    /// The rule by which a response varies.
    struct Rule: Hashable {
        let vary: VaryRule
        let isCoded: Bool
        let dependsOnPreferredCodings: Bool

        init(_ variant: VariantList.Variant) {
            vary = variant.vary
            isCoded = variant.isCoded
            dependsOnPreferredCodings = variant.dependsOnPreferredCodings
        }

        private init() { (vary, isCoded, dependsOnPreferredCodings) = (.nothing, false, true) }

        static let plain = Rule()
    }

    /// A list that was seen.
    private struct Known {
        /// The value that the list was read from; nil if the list was changed since.
        var value: ByteBuffer?
        var list: VariantList
    }

    private var lists: [CacheKey: Known] = [:]
    private var order: Deque<CacheKey> = []
    /// The rules seen last, the newest first.
    private(set) var rules: [Rule] = [.plain]
    /// The number of variants of all keys together.
    private(set) var variantCount = 0
    /// The largest number of keys.
    let limit: Int
    /// The largest number of variants of all keys together.
    let variantLimit: Int
    /// The largest number of rules.
    static let ruleLimit = 4

    init(limit: Int = 10_000, variantLimit: Int = 100_000) {
        self.limit = limit
        self.variantLimit = variantLimit
    }

    var count: Int { lists.count }

    subscript(key: CacheKey) -> VariantList? { lists[key]?.list }

    /// Returns the list of a key if it was read from this value.
    func list(_ key: CacheKey, of value: ByteBuffer) -> VariantList? {
        guard let known = lists[key], known.value == value else { return nil }
        return known.list
    }

    /// Remembers the list of a key, and the value that it was read from.
    mutating func remember(_ list: VariantList, of value: ByteBuffer?, for key: CacheKey) {
        for rule in Set(list.variants.map(Rule.init)) where !rules.contains(rule) {
            rules.insert(rule, at: 0)
            if rules.count > Self.ruleLimit { rules.removeLast() }
        }
        if let known = lists[key] {
            variantCount -= known.list.variants.count
        } else {
            order.append(key)
        }
        // A slice of the reply would hold the memory of all of it.
        lists[key] = Known(value: value.map { ByteBuffer(bytes: $0.readableBytesView) }, list: list)
        variantCount += list.variants.count
        while order.count > limit || variantCount > variantLimit, let oldest = order.popFirst() {
            variantCount -= lists.removeValue(forKey: oldest)?.list.variants.count ?? 0
        }
    }

    /// Records that this process has stored a variant under a key.
    mutating func store(_ variant: VariantList.Variant, in epoch: LogVersion.Epoch, for key: CacheKey) {
        let others = lists[key].flatMap { $0.list.epoch == epoch ? $0.list.variants : nil } ?? []
        let variants = [variant] + others.filter { $0.field != variant.field }
        remember(VariantList(epoch: epoch, variants: variants), of: nil, for: key)
    }

    /// Forgets the variants of a key under which nothing is stored.
    mutating func forget(_ key: CacheKey) {
        guard let known = lists[key] else { return }
        // The key stays in the order, with a list that takes no room.
        variantCount -= known.list.variants.count
        lists[key] = Known(value: nil, list: VariantList(epoch: known.list.epoch, variants: []))
    }

    /// Traps if the tables disagree; for tests.
    func validate() {
        precondition(lists.count == order.count && order.count <= limit, "Too many keys, or a wrong order")
        precondition(Set(order) == Set(lists.keys), "An order of other keys")
        precondition(
            variantCount == lists.values.reduce(0) { $0 + $1.list.variants.count } && variantCount <= variantLimit,
            "A wrong count of variants"
        )
        precondition((1...Self.ruleLimit).contains(rules.count), "Too many rules")
    }
}
