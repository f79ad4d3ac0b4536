public import HTTPTypes
import RawStructuredFieldValues

/// What a response allows caches, by `Cache-Control` or by a targeted field (RFC 9111 §5.2.2, RFC 5861, RFC 8246,
/// RFC 9213), parsed once.
///
/// Where a number of seconds is given more than once, the first counts; one that is broken counts as zero: "Caches are
/// encouraged to consider responses that have invalid freshness information (e.g., a max-age directive with non-integer
/// content) to be stale" (RFC 9111 §4.2.1). A directive that restricts holds whatever argument it carries; one that
/// permits (`public`) holds without an argument only.
public struct ResponseDirectives: Hashable, Sendable {
    /// What a directive that may name fields is about: the response (`private`) or some fields
    /// (`private="set-cookie"`).
    public enum Scope: Hashable, Sendable {
        /// The directive is not there.
        case absent
        /// It is about these fields only.
        case fields([HTTPField.Name])
        /// It is about the whole response.
        case response
    }

    /// Any cache may store the response (RFC 9111 §5.2.2.9).
    public var isPublic = false
    /// What a shared cache must not store (RFC 9111 §5.2.2.7).
    public var privacy = Scope.absent
    /// No cache may store the response (RFC 9111 §5.2.2.5).
    public var noStore = false
    /// What must not be reused without validation (RFC 9111 §5.2.2.4).
    public var noCache = Scope.absent
    /// The response must never be reused stale (RFC 9111 §5.2.2.2).
    public var mustRevalidate = false
    /// The response must never be reused stale by a shared cache (RFC 9111 §5.2.2.8).
    public var proxyRevalidate = false
    /// The response may be stored only where its status code is understood (RFC 9111 §5.2.2.3).
    public var mustUnderstand = false
    /// The freshness lifetime (RFC 9111 §5.2.2.1).
    public var maxAge: Duration?
    /// The freshness lifetime in shared caches (RFC 9111 §5.2.2.10).
    public var sMaxAge: Duration?
    /// How long the response may be served stale while it is refreshed (RFC 5861 §3).
    public var staleWhileRevalidate: Duration?
    /// How long the response may be served stale where the origin fails (RFC 5861 §4).
    public var staleIfError: Duration?
    /// The response will not change while it is fresh (RFC 8246).
    public var immutable = false
    /// The content must not be transformed (RFC 9111 §5.2.2.6).
    public var noTransform = false
    /// The targeted field that the directives come from; nil: `Cache-Control`. Where it is set, `Expires` does not
    /// count either (RFC 9213 §2.2).
    public var target: HTTPField.Name?

    /// A response that says nothing.
    public init() {}

    /// Reads the directives of a response.
    /// - Parameter targets: the targeted fields to look at, the most specific first.
    ///
    /// "The cache MUST select the first (in target list order) field with a valid, non-empty value and use its value to
    /// determine the caching policy for the response, and it MUST ignore the Cache-Control and Expires header fields in
    /// that response, unless no valid, non-empty value is available from the listed header fields" (RFC 9213 §2.2).
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
                self.apply(directive.name, Value(directive))
            }
        }
    }

    /// Whether the directives forbid to serve the response stale: "A cache MUST NOT generate a stale response if it is
    /// prohibited by an explicit in-protocol directive (e.g., by a no-cache response directive, a must-revalidate
    /// response directive, or an applicable s-maxage or proxy-revalidate response directive)" (RFC 9111 §4.2.4).
    public var forbidsStale: Bool {
        self.mustRevalidate || self.proxyRevalidate || self.noCache == .response || self.sMaxAge != nil
    }

    /// The fields that must not be stored, or not be reused, while the rest may be: what `private` and `no-cache` name.
    public var withheldFields: [HTTPField.Name] {
        var names: [HTTPField.Name] = []
        if case .fields(let some) = self.privacy { names += some }
        if case .fields(let some) = self.noCache { names += some }
        return names
    }
}

extension ResponseDirectives {
    /// The value of a directive, whichever syntax it came in.
    fileprivate enum Value {
        /// Given without a value.
        case present
        /// A number of seconds, not negative.
        case seconds(Duration)
        /// A text.
        case text(String)
        /// Given with a value that none of the directives can have.
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
            if case .present = value { self.isPublic = true }
        case "private": self.privacy.widen(by: Scope(value))
        case "no-store": self.noStore = true
        case "no-cache": self.noCache.widen(by: Scope(value))
        case "must-revalidate": self.mustRevalidate = true
        case "proxy-revalidate": self.proxyRevalidate = true
        case "must-understand": self.mustUnderstand = true
        case "max-age": self.maxAge = self.maxAge ?? value.seconds
        case "s-maxage": self.sMaxAge = self.sMaxAge ?? value.seconds
        case "stale-while-revalidate": self.staleWhileRevalidate = self.staleWhileRevalidate ?? value.seconds
        case "stale-if-error": self.staleIfError = self.staleIfError ?? value.seconds
        case "immutable":
            // "The immutable extension does not take any arguments. If any arguments are present, they have no meaning
            // and MUST be ignored." (RFC 8246 §2)
            self.immutable = true
        case "no-transform": self.noTransform = true
        default:
            // "A cache MUST ignore unrecognized cache directives." (RFC 9111 §5.2.3)
            break
        }
    }
}

extension ResponseDirectives.Scope {
    /// Without these the rest of a response means something else, or nothing: a list that names one counts as the
    /// whole.
    private static let cannotBeWithheld: Set<HTTPField.Name> = [.cacheControl, .contentEncoding, .contentType, .vary]

    /// A list of field names is about these fields; no argument, or one that is no such list, about the response.
    fileprivate init(_ value: ResponseDirectives.Value) {
        guard case .text(let text) = value else {
            self = .response
            return
        }
        let members = Array(FieldList(text))
        let names = members.compactMap { HTTPField.Name(String($0)) }
        // `*` is a token, and the name of no field: whoever sends it means all of them.
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
    /// Reads a targeted field; nil where it has to be ignored: "If a targeted field in a given response is empty, or a
    /// parsing error is encountered, that field MUST be ignored by the cache" (RFC 9213 §2.1).
    private init?(target: HTTPField.Name, in fields: HTTPFields) {
        guard let text = fields[target] else { return nil }
        var parser = StructuredFieldValueParser(Array(text.utf8))
        guard let members = try? parser.parseDictionaryFieldValue(), !members.isEmpty else { return nil }
        self.target = target
        for (name, member) in members {
            if let value = Value(member) { self.apply(name, value) }
        }
    }
}

extension ResponseDirectives.Value {
    /// A member of a dictionary; nil for `?0`, which says that the directive is not given. "Parameters received on
    /// directives are to be ignored" (RFC 9213 §2.1).
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
