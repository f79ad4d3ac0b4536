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
/// | `larder:3:{log}` | sorted set | what was invalidated, by the number at which it was |
/// | `larder:3:{log}:p` | string | the versions of paths that the list has no room for; also `k`, `d` and `t` |
/// | `larder:index` | sorted set | the keys kept, by the millisecond at which they expire |
struct RedisNames: Sendable {
    /// What every key begins with.
    let namespace: String
    /// The list of what was invalidated.
    let log: String
    let index: String

    /// Names behind a namespace: 1 to 64 bytes of visible ASCII; nil where it is none.
    init?(namespace: String) {
        guard (1...64).contains(namespace.utf8.count), namespace.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        self.namespace = namespace
        log = Self.log(namespace, format: Self.format)
        index = namespace + "index"
    }

    /// The layout of everything that a store writes. Processes of different formats share nothing.
    static let format = 3

    /// The table of the invalidation log for a kind of scope: in a cluster, in the same slot as the list.
    func table(_ kind: ScopeKind) -> String { log + ":" + kind.rawValue }

    /// The keys of the log, as its scripts take them.
    var logKeys: [String] { [log] + ScopeKind.allCases.map(table) }

    /// The logs of other formats that may be in the namespace.
    var otherLogs: [String] {
        [namespace + "ledger"] + (1...32).filter { $0 != Self.format }.map { Self.log(namespace, format: $0) }
    }

    private static func log(_ namespace: String, format: Int) -> String { "\(namespace)\(format):{log}" }

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
        case .key(let key): Self.member(.key, key.description)
        case .path(let path): Self.member(.path, path.description)
        // No entry knows of deeper prefixes: what is above covers more, and forgets nothing.
        case .prefix(let path): Self.member(.prefix, path.asPrefix.description)
        case .tag(let tag): Self.member(.tag, tag.description)
        case .everything: "*"
        }
    }
}

extension Cover {
    /// The most bytes of a scope's text in the log; of a longer one there is a head and a digest.
    private static let memberLimit = 120

    private static func member(_ kind: ScopeKind, _ text: String) -> String {
        kind.rawValue + ShortenedText.of(text, limit: memberLimit)
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
