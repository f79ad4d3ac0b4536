import Crypto
import HTTPCaching
import HTTPTypes
import Larder
import RedisClient

/// The names of everything that a store has in Redis. Each includes the version of its format, so that processes of
/// different versions share neither entries nor a log.
///
/// | key | type | content |
/// |--|--|--|
/// | `larder:3:GET:/api/posts/` | hash | the variants of a key (``VariantList``), also `value:…` and other methods |
/// | `larder:3:{log}` | sorted set | the scopes that were invalidated, by version |
/// | `larder:3:{log}:p` | string | the versions of paths that the list has no room for; also `k`, `d`, `t` |
struct RedisNames: Sendable {
    /// The version of the format, which increases with every change of what is stored under these names.
    static let format: UInt8 = 3

    /// The beginning of every key.
    let namespace: String
    /// The key of the list of invalidated scopes.
    let log: String
    /// The beginning of the key of every entry.
    private let prefix: String

    /// Creates the names for a namespace of 1 to 64 bytes of visible ASCII; nil if the namespace is not valid.
    init?(namespace: String) {
        guard (1...64).contains(namespace.utf8.count), namespace.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        self.namespace = namespace
        prefix = namespace + "\(Self.format):"
        log = Self.log(namespace, format: Self.format)
    }

    /// Returns the key of the log's table for a kind of scope: in a cluster, in the same slot as the list.
    func table(_ kind: ScopeKind) -> String { log + ":" + kind.table.rawValue }

    /// The keys of the log, in the order in which its scripts take them.
    var logKeys: [String] { [log] + ScopeKind.tables.map(table) }

    /// The keys of logs of other formats that may be in the namespace.
    var otherLogs: [String] {
        [namespace + "log"] + (1...32).filter { $0 != Self.format }.map { Self.log(namespace, format: $0) }
    }

    private static func log(_ namespace: String, format: UInt8) -> String { "\(namespace)\(format):{log}" }

    /// Returns the key of an entry in Redis; nil for a cache key that no response has, so that the store's other keys
    /// are never taken for entries.
    func entry(_ key: CacheKey) -> String? {
        guard let first = key.description.utf8.first, ASCII.isLetter(first) else { return nil }
        return prefix + key.description
    }

    /// Returns the cache key of an entry in Redis; nil if the key in Redis is not that of an entry.
    func key(ofEntry name: String) -> CacheKey? {
        guard name.hasPrefix(prefix), let key = CacheKey(String(name.dropFirst(prefix.count))), entry(key) == name
        else { return nil }
        return key
    }

    /// The pattern for `SCAN` that the keys of all entries match, and hardly any other key. Characters that have a
    /// meaning in a pattern are escaped.
    var entryPattern: String {
        var pattern = ""
        for character in prefix {
            if "*?[]^-\\".contains(character) { pattern.append("\\") }
            pattern.append(character)
        }
        return pattern + "[A-Za-z]*"
    }
}

extension InvalidationScope {
    /// The member of the log that stands for this scope. No two scopes share one, and none is a member that the log
    /// uses itself: those begin with `!` or `~`, so that they sort before or after all scopes.
    var member: String {
        switch self {
        case .key(let key): Self.member(.key, key.normalized)
        case .path(let path): Self.member(path.hasHost ? .hostPath : .path, path.description)
        // Entries belong to no deeper prefixes: a shorter prefix includes more, and no invalidation is lost.
        case .prefix(let path): Self.member(.prefix, path.asPrefix.description)
        case .tag(let tag): Self.member(.tag, tag.description)
        case .everything: "*"
        }
    }
}

extension InvalidationScope {
    /// The most bytes of a scope's text in the log; a longer text is replaced by its beginning and a digest.
    private static let memberLimit = 120

    private static func member(_ kind: ScopeKind, _ text: String) -> String {
        kind.rawValue + ShortenedText.of(text, limit: memberLimit)
    }
}

/// The name of a variant among those of its key: `v:`, the fields that it varies by, the values for which it was
/// selected, and `?` with the codings that its request preferred (``VariantRule``).
struct VariantName: Hashable, Sendable {
    /// The common beginning of all variants that vary by the same fields; empty if the variant varies by none.
    let rule: String
    /// The common beginning of all variants that were selected for the same values.
    let family: String
    /// The codings of the name as a number; -1 for a variant that does not depend on them.
    let codings: Int64
    /// The field of the hash.
    let field: String

    init(of entry: CacheEntry) {
        rule = Self.rule(entry.vary)
        family = Self.family(entry.vary, fieldLines: entry.selectingFields.fieldLines)
        let preferred = entry.selectingFields.preferredCodings
        codings = entry.variant.dependsOnPreferredCodings ? Int64(preferred.rawValue) : -1
        field = codings > 0 ? Self.field(of: family, preferring: preferred) : family
    }

    private static func rule(_ vary: VaryRule) -> String {
        guard case .fields(let names) = vary else { return "" }
        return "v:" + digest(names.map(\.canonicalName).joined(separator: ",")) + ":"
    }

    /// Returns the beginning of the names of the variants that a rule selects for these values.
    static func family(_ vary: VaryRule, fieldLines: String) -> String {
        guard case .fields = vary else { return "v:" }
        return rule(vary) + digest(fieldLines)
    }

    /// Returns the name of the variant of a family whose request preferred these codings.
    static func field(of family: String, preferring codings: ContentCodings) -> String {
        codings.isEmpty ? family : family + "?" + String(codings.rawValue, radix: 16)
    }

    /// Returns the field of the hash that has the scopes of a variant.
    static func scopes(of field: String) -> String { "s" + field.dropFirst() }

    /// Returns half of a SHA-256: clients choose what is hashed, and must not find another request whose variant has
    /// this name.
    private static func digest(_ text: String) -> String {
        SHA256.hash(data: Array(text.utf8)).prefix(digestLength).hexadecimal
    }

    /// The number of bytes of a digest.
    static let digestLength = 16
}
