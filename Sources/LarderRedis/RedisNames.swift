import Crypto
import HTTPCaching
import HTTPTypes
import Larder
import RedisClient

/// What everything of a store is called in Redis.
///
/// | key | type | what |
/// |--|--|--|
/// | `larder:GET:/api/posts/` | hash | the variants of a key, a field each, and the order they came in |
/// | `larder:ledger` | sorted set | what was invalidated, by the number at which it was |
/// | `larder:index` | sorted set | the keys kept, by the millisecond at which they expire |
struct RedisNames: Sendable {
    /// What every key begins with.
    let namespace: String
    let ledger: String
    let index: String

    /// Names behind a namespace: 1 to 64 bytes of visible ASCII; nil where it is none.
    init?(namespace: String) {
        guard (1...64).contains(namespace.utf8.count), namespace.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        self.namespace = namespace
        ledger = namespace + "ledger"
        index = namespace + "index"
    }

    /// Where an entry is kept; nil for a key that no response has, so that nothing of the store's own is taken for one.
    func entry(_ key: CacheKey) -> String? {
        key.description.hasPrefix("GET:") ? namespace + key.description : nil
    }
}

extension Cover {
    /// The member of the ledger that stands for this cover. No two covers share one, and none is a member that the
    /// ledger has for itself: those begin with `!` or `~`, so that they sort before or after all covers.
    var member: String {
        switch self {
        case .key(let key): "k" + key.normalized
        case .path(let path): "p" + path.description
        // No entry knows of deeper prefixes: what is above covers more, and forgets nothing.
        case .prefix(let path): "d" + path.asPrefix.description
        case .tag(let tag): "t" + tag.description
        case .everything: "*"
        }
    }
}

/// The name of a variant among those of its key: `v:`, what it varies by, for which values it was selected, and `?`
/// with the codings that its request preferred (``VariantRule``).
struct VariantName: Hashable, Sendable {
    /// The beginning that all variants share that vary by the same fields; empty if the variant varies by none.
    let rule: String
    /// The beginning that all variants share that were selected for the same values.
    let family: String
    /// The codings of the name as a number; -1 for a variant that does not depend on them.
    let codings: Int64
    /// The field of the hash.
    let field: String

    init(of entry: CacheEntry) {
        if case .fields(let names) = entry.vary {
            rule = "v:" + Self.digest(names.map(\.canonicalName).joined(separator: ",")) + ":"
            family = rule + Self.digest(entry.selectingFields.fieldLines)
        } else {
            (rule, family) = ("", "v:")
        }
        codings = entry.variant.dependsOnPreferredCodings ? Int64(entry.selectingFields.preferredCodings.rawValue) : -1
        field = codings > 0 ? family + "?" + String(codings, radix: 16) : family
    }

    /// Half of a SHA-256: clients choose what is hashed, and must not find another request whose variant has this name.
    private static func digest(_ text: String) -> String {
        SHA256.hash(data: Array(text.utf8)).prefix(digestLength).hexadecimal
    }

    /// The bytes of a digest.
    static let digestLength = 16
}
