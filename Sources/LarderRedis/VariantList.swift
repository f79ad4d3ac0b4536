import HTTPCaching
import HTTPTypes
import Larder
import NIOCore

/// The variants of a key, as the field `m` of its hash lists them: their names, the requests that they may answer, and
/// their sizes, so that a look-up reads only the one it needs.
///
///     3 6218137912571312 8102234893465721
///     v:6b1c…:90af…?3 42 1795521690000 1311 0 accept-language
///     v: 41 1795521680000 1290 0 -
///
/// The first line has the version of the format and the epoch of the log in which all of them were read. Each further
/// line is a variant, the newest first: its field, the number of its read version, the millisecond until which it is
/// stored, its bytes, 1 if it has a content coding, and the fields that it varies by (`-`: none, `*`: everything).
///
/// Other programs write to Redis: the list only says which fields to read. Their values are checked by themselves.
struct VariantList: Hashable, Sendable {
    /// A variant, as its line describes it.
    struct Variant: Hashable, Sendable {
        /// The field of the hash (``VariantName``).
        let field: String
        /// The number of the read version.
        let number: UInt64
        /// The time until which the variant is stored, in milliseconds since 1970.
        let storedUntil: Int64
        /// The size of its value in bytes.
        let size: Int
        /// True if the response has a content coding.
        let isCoded: Bool
        /// The fields that the response varies by.
        let vary: VaryRule
    }

    /// The epoch of the log in which the variants' read versions were read.
    let epoch: LogVersion.Epoch
    /// The variants, the newest first.
    var variants: [Variant]

    init(epoch: LogVersion.Epoch, variants: [Variant]) {
        self.epoch = epoch
        self.variants = variants
    }

    /// The size in bytes of the longest list that is read.
    static let sizeLimit = 8 * 1024 * 1024
    /// The field of a hash that has the list.
    static let field = "m"
}

// MARK: - Reading and writing

extension VariantList {
    /// Creates a list from the value of its field; nil if it is not exactly what ``Scripts/save`` writes.
    init?(_ value: ByteBuffer) {
        guard value.readableBytes <= Self.sizeLimit,
            let text = String(validating: value.readableBytesView, as: UTF8.self)
        else { return nil }
        var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
        guard let head = lines.popFirst() else { return nil }
        let words = head.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, UInt8(Substring(words[0])) == RedisNames.format,
            let high: UInt64 = Self.number(words[1]), let low: UInt64 = Self.number(words[2])
        else { return nil }
        epoch = LogVersion.Epoch(high: high, low: low)
        variants = []
        variants.reserveCapacity(lines.count)
        for line in lines {
            guard let variant = Variant(line) else { return nil }
            variants.append(variant)
        }
    }

    /// Returns the value of decimal digits without a sign; nil if there is a sign or another character.
    fileprivate static func number<Number: FixedWidthInteger>(_ digits: Substring.UTF8View) -> Number? {
        guard digits.first.map(ASCII.isDigit) == true else { return nil }
        return Number(Substring(digits))
    }
}

extension VariantList.Variant {
    /// Creates a variant from its line; nil if the line is not that of a variant.
    init?(_ line: Substring.UTF8View) {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 6, words[0].starts(with: "v:".utf8), let number: UInt64 = VariantList.number(words[1]),
            let storedUntil: Int64 = VariantList.number(words[2]), let size: Int = VariantList.number(words[3]),
            words[4].elementsEqual("0".utf8) || words[4].elementsEqual("1".utf8),
            let vary = VaryRule(listed: Substring(words[5]))
        else { return nil }
        field = String(Substring(words[0]))
        self.number = number
        self.storedUntil = storedUntil
        self.size = size
        isCoded = words[4].first == UInt8(ascii: "1")
        self.vary = vary
    }

    /// Creates the variant that an entry is stored as, with a value of `size` bytes.
    init(_ entry: CacheEntry, named name: VariantName, size: Int) {
        field = name.field
        number = entry.readVersion.number
        storedUntil = entry.lifetimes.storedUntil.millisecondsSinceEpoch
        self.size = size
        isCoded = !entry.variant.ignoresUnknownCodings
        vary = entry.vary
    }

    /// The rule of a variant as the end of its line: 1 if it has a content coding, and the fields that it varies by.
    var rule: String { "\(isCoded ? 1 : 0) \(vary.listed)" }
}

extension VaryRule {
    fileprivate var listed: String {
        switch self {
        case .nothing: "-"
        case .everything: "*"
        case .fields(let names): names.map(\.canonicalName).joined(separator: ",")
        }
    }

    fileprivate init?(listed text: Substring) {
        switch text {
        case "-": self = .nothing
        case "*": self = .everything
        default:
            let words = text.split(separator: ",", omittingEmptySubsequences: false)
            guard words.count <= Self.maximumFieldCount else { return nil }
            var names: [HTTPField.Name] = []
            for word in words {
                guard let name = HTTPField.Name(String(word)) else { return nil }
                names.append(name)
            }
            self = .fields(names)
        }
    }
}

extension Timestamp {
    /// The whole milliseconds since 1970, rounded down.
    var millisecondsSinceEpoch: Int64 {
        let (quotient, remainder) = nanosecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

// MARK: - Choosing

extension VariantList.Variant {
    /// True if the response shows that the codings which its request preferred are not sent (``VariantRule``).
    var dependsOnPreferredCodings: Bool {
        guard !isCoded else { return false }
        guard case .fields(let names) = vary else { return vary == .nothing }
        return !names.contains(.acceptEncoding)
    }
}

/// The names of the variants that may answer a request, computed once for each rule.
struct VariantNames {
    private let request: HTTPFields
    private let preferred: ContentCodings
    private var known: [(vary: VaryRule, isCoded: Bool, family: String?)] = []

    init(of query: VariantQuery) {
        request = query.fields
        preferred = ContentCodings.preferred(by: query.fields)
    }

    /// Returns the beginning of the names of the variants by a rule that may answer the request; nil if none may.
    private mutating func family(_ vary: VaryRule, isCoded: Bool) -> String? {
        if let place = known.firstIndex(where: { $0.isCoded == isCoded && $0.vary == vary }) {
            return known[place].family
        }
        let family = vary.selectingFields(of: request, ignoringUnknownCodings: !isCoded).map {
            VariantName.family(vary, fieldLines: $0.fieldLines)
        }
        known.append((vary, isCoded, family))
        return family
    }

    /// Returns true if a variant may answer the request, as far as its name shows.
    mutating func mayMatch(_ variant: VariantList.Variant) -> Bool {
        guard let family = family(variant.vary, isCoded: variant.isCoded) else { return false }
        guard variant.dependsOnPreferredCodings else { return variant.field == family }
        guard variant.field.hasPrefix(family) else { return false }
        let rest = variant.field.utf8.dropFirst(family.utf8.count)
        guard let mark = rest.first else { return preferred.isEmpty }
        guard mark == UInt8(ascii: "?"), let codings = UInt16(Substring(rest.dropFirst()), radix: 16) else {
            return false
        }
        return preferred.isSubset(of: ContentCodings(rawValue: codings))
    }

    /// Returns the name of the variant by a rule that a response to this request would be stored under.
    mutating func own(_ rule: VariantMemo.Rule) -> String? {
        guard let family = family(rule.vary, isCoded: rule.isCoded) else { return nil }
        return rule.dependsOnPreferredCodings ? VariantName.field(of: family, preferring: preferred) : family
    }

    /// Returns the variants that may answer the request, the best first: those that vary by something, the newest
    /// first, then the others (RFC 9111 §4.1).
    mutating func candidates(among variants: [VariantList.Variant]) -> [VariantList.Variant] {
        let matching = variants.filter { mayMatch($0) }
        return matching.filter { $0.vary != .nothing } + matching.filter { $0.vary == .nothing }
    }
}
