public import HTTPTypes
import RawStructuredFieldValues

/// The directives for caches in the `Cache-Control` of a response or in a targeted field (RFC 9111 §5.2.2, RFC 5861,
/// RFC 8246, RFC 9213), parsed once.
///
/// If a number of seconds is given several times, the first counts. A broken number counts as zero: "Caches are
/// encouraged to consider responses that have invalid freshness information (e.g., a max-age directive with non-integer
/// content) to be stale" (RFC 9111 §4.2.1). A directive that restricts holds with any argument; one that permits
/// (`public`) holds only without an argument.
public struct ResponseDirectives: Hashable, Sendable {
    /// The extent of a directive that may name fields: the response (`private`) or some fields
    /// (`private="set-cookie"`).
    public enum Scope: Hashable, Sendable {
        /// The directive is absent.
        case absent
        /// The directive is about these fields only.
        case fields([HTTPField.Name])
        /// The directive is about the whole response.
        case response
    }

    /// True if any cache may store the response (RFC 9111 §5.2.2.9).
    public var isPublic = false
    /// The part of the response that a shared cache must not store (RFC 9111 §5.2.2.7).
    public var privacy = Scope.absent
    /// True if no cache may store the response (RFC 9111 §5.2.2.5).
    public var noStore = false
    /// The part of the response that must not be reused without validation (RFC 9111 §5.2.2.4).
    public var noCache = Scope.absent
    /// True if the response must never be reused stale (RFC 9111 §5.2.2.2).
    public var mustRevalidate = false
    /// True if a shared cache must never reuse the response stale (RFC 9111 §5.2.2.8).
    public var proxyRevalidate = false
    /// True if the response may be stored only if its status code is understood (RFC 9111 §5.2.2.3).
    public var mustUnderstand = false
    /// The freshness lifetime (RFC 9111 §5.2.2.1).
    public var maxAge: Duration?
    /// The freshness lifetime in shared caches (RFC 9111 §5.2.2.10).
    public var sMaxAge: Duration?
    /// The time for which the response may be served stale while it is refreshed (RFC 5861 §3).
    public var staleWhileRevalidate: Duration?
    /// The time for which the response may be served stale if the origin fails (RFC 5861 §4).
    public var staleIfError: Duration?
    /// True if the response does not change while it is fresh (RFC 8246).
    public var immutable = false
    /// True if the content must not be transformed (RFC 9111 §5.2.2.6).
    public var noTransform = false
    /// The targeted field that the directives come from, or nil for `Cache-Control`. If it is set, `Expires` is ignored
    /// too (RFC 9213 §2.2).
    public var target: HTTPField.Name?

    /// Creates the directives of a response without any.
    public init() {}

    /// Creates the directives of a response from its fields.
    ///
    /// "The cache MUST select the first (in target list order) field with a valid, non-empty value and use its value to
    /// determine the caching policy for the response, and it MUST ignore the Cache-Control and Expires header fields in
    /// that response, unless no valid, non-empty value is available from the listed header fields" (RFC 9213 §2.2).
    /// - Parameters:
    ///   - fields: The fields of the response.
    ///   - targets: The targeted fields to look at, the most specific first.
    public init(_ fields: HTTPFields, targets: [HTTPField.Name] = []) {
        for target in targets {
            if let directives = Self(target: target, in: fields) {
                self = directives
                return
            }
        }
        for field in fields where field.name == .cacheControl {
            for member in FieldList(field.value) {
                let directive = Directive(member)
                apply(directive.name, Value(directive))
            }
        }
    }

    /// True if the directives forbid serving the response stale: "A cache MUST NOT generate a stale response if it is
    /// prohibited by an explicit in-protocol directive (e.g., by a no-cache response directive, a must-revalidate
    /// response directive, or an applicable s-maxage or proxy-revalidate response directive)" (RFC 9111 §4.2.4).
    public var forbidsStale: Bool {
        mustRevalidate || proxyRevalidate || noCache == .response || sMaxAge != nil
    }

    /// The fields that `private` and `no-cache` name: they must not be stored or reused, while the rest may be.
    public var withheldFields: [HTTPField.Name] {
        var names: [HTTPField.Name] = []
        if case .fields(let some) = privacy { names += some }
        if case .fields(let some) = noCache { names += some }
        return names
    }
}

extension ResponseDirectives {
    /// The value of a directive, in either syntax.
    fileprivate enum Value {
        /// The directive is given without a value.
        case present
        /// The value is a number of seconds that is not negative.
        case seconds(Duration)
        /// The value is a text.
        case text(String)
        /// The directive is given with a value that none of the directives can have.
        case malformed

        init(_ directive: Directive) {
            switch directive.argument {
            case .none: self = .present
            case .text(let text): self = directive.seconds.map { .seconds($0) } ?? .text(text)
            case .malformed: self = .malformed
            }
        }

        var seconds: Duration {
            if case .seconds(let seconds) = self { seconds } else { .zero }
        }
    }

    private mutating func apply(_ name: String, _ value: Value) {
        switch name {
        case "public":
            if case .present = value { isPublic = true }
        case "private": privacy.widen(by: Scope(value))
        case "no-store": noStore = true
        case "no-cache": noCache.widen(by: Scope(value))
        case "must-revalidate": mustRevalidate = true
        case "proxy-revalidate": proxyRevalidate = true
        case "must-understand": mustUnderstand = true
        case "max-age": maxAge = maxAge ?? value.seconds
        case "s-maxage": sMaxAge = sMaxAge ?? value.seconds
        case "stale-while-revalidate": staleWhileRevalidate = staleWhileRevalidate ?? value.seconds
        case "stale-if-error": staleIfError = staleIfError ?? value.seconds
        case "immutable":
            // "The immutable extension does not take any arguments. If any arguments are present, they have no meaning
            // and MUST be ignored." (RFC 8246 §2)
            immutable = true
        case "no-transform": noTransform = true
        default:
            // "A cache MUST ignore unrecognized cache directives." (RFC 9111 §5.2.3)
            break
        }
    }
}

extension ResponseDirectives.Scope {
    /// The fields without which the rest of a response has another meaning or none. A list that names one of them
    /// counts as the whole response.
    private static let cannotBeWithheld: Set<HTTPField.Name> = [.cacheControl, .contentEncoding, .contentType, .vary]

    /// Creates the scope of a value: a list of field names is about these fields; any other value is about the
    /// response.
    fileprivate init(_ value: ResponseDirectives.Value) {
        guard case .text(let text) = value else {
            self = .response
            return
        }
        let members = Array(FieldList(text))
        let names = members.compactMap { HTTPField.Name(String($0)) }
        // `*` is a token but not the name of a field: an origin that sends it means all fields.
        let isList = !names.isEmpty && names.count == members.count && !members.contains("*")
        self = isList && names.allSatisfy { !Self.cannotBeWithheld.contains($0) } ? .fields(names) : .response
    }

    fileprivate mutating func widen(by other: Self) {
        switch (self, other) {
        case (.response, _), (_, .absent): break
        case (.fields(let some), .fields(let more)): self = .fields(some + more)
        default: self = other
        }
    }
}

extension ResponseDirectives {
    /// Creates the directives of a targeted field, or returns nil if it has to be ignored: "If a targeted field in a
    /// given response is empty, or a parsing error is encountered, that field MUST be ignored by the cache"
    /// (RFC 9213 §2.1).
    private init?(target: HTTPField.Name, in fields: HTTPFields) {
        guard let text = fields[target] else { return nil }
        var parser = StructuredFieldValueParser(Array(text.utf8))
        guard let members = try? parser.parseDictionaryFieldValue(), !members.isEmpty else { return nil }
        self.target = target
        for (name, member) in members {
            if let value = Value(member) { apply(name, value) }
        }
    }
}

extension ResponseDirectives.Value {
    /// Creates the value of a dictionary's member, or returns nil for `?0`, which means that the directive is not
    /// given. "Parameters received on directives are to be ignored" (RFC 9213 §2.1).
    fileprivate init?(_ member: ItemOrInnerList) {
        guard case .item(let item) = member else {
            self = .malformed
            return
        }
        switch item.rfc9651BareItem {
        case .bool(true): self = .present
        case .bool(false): return nil
        case .integer(let seconds) where seconds >= 0: self = .seconds(.seconds(min(seconds, DeltaSeconds.limit)))
        case .string(let text), .token(let text): self = .text(text)
        default: self = .malformed
        }
    }
}
