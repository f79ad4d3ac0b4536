import HTTPCaching
import HTTPTypes

/// The meaning of each directive of a response to this cache, found by reading the directive alone.
struct DirectiveReading {
    /// The field that the directives come from.
    let field: HTTPField.Name
    /// One sentence for each directive, in order.
    private(set) var sentences: [String] = []

    init(_ exchange: Exchange, _ rules: CachingRules) {
        let whole = exchange.directives(rules)
        self.field = whole.target ?? .cacheControl
        let members = FieldList.members(of: field, in: exchange.response.headerFields)
        let names = members.map { Directive($0).name }
        for (member, name) in zip(members, names) {
            let alone = ResponseDirectives([field: String(member)], targets: whole.target.map { [$0] } ?? [])
            var sentence = "\(quoted(member)): \(Self.meaning(of: member, alone))"
            if names.filter({ $0 == name }).count > 1, Self.differs(alone, from: whole) {
                sentence += " It is given more than once, and another value applies."
            }
            sentences.append(sentence)
        }
    }

    /// Returns true if `alone` has a number of seconds that is not the one in force.
    private static func differs(_ alone: ResponseDirectives, from whole: ResponseDirectives) -> Bool {
        func differs(_ path: KeyPath<ResponseDirectives, Duration?>) -> Bool {
            alone[keyPath: path] != nil && alone[keyPath: path] != whole[keyPath: path]
        }
        return differs(\.maxAge) || differs(\.sMaxAge) || differs(\.staleWhileRevalidate) || differs(\.staleIfError)
    }

    private static func meaning(of member: Substring, _ alone: ResponseDirectives) -> String {
        seconds(alone, Directive(member)) ?? scope(alone, Directive(member)) ?? flag(alone)
            ?? (Directive(member).name == "public"
                ? "ignored: public has no argument (RFC 9111 §5.2.2.9)."
                : "ignored: this cache does not know it (RFC 9111 §5.2.3).")
    }

    private static func seconds(_ alone: ResponseDirectives, _ directive: Directive) -> String? {
        func say(_ seconds: Duration, _ use: String, _ source: String) -> String {
            // Targeted fields have another syntax, but whole numbers are written in the same way.
            let isBroken = directive.seconds == nil && seconds == .zero
            return isBroken
                ? "invalid: not a whole number of seconds, so it counts as 0 s (RFC 9111 §4.2.1)."
                : "\(use) \(seconds.inWords) (\(source))."
        }
        if let seconds = alone.sMaxAge {
            return say(seconds, "in shared caches, such as this one, fresh for", "RFC 9111 §5.2.2.10")
        }
        if let seconds = alone.maxAge { return say(seconds, "fresh for", "RFC 9111 §5.2.2.1") }
        if let seconds = alone.staleWhileRevalidate {
            return say(seconds, "while it is refreshed, may be served stale for", "RFC 5861 §3")
        }
        if let seconds = alone.staleIfError {
            return say(seconds, "if the origin fails, may be served stale for", "RFC 5861 §4")
        }
        return nil
    }

    private static func scope(_ alone: ResponseDirectives, _ directive: Directive) -> String? {
        func names(_ fields: [HTTPField.Name]) -> String { fields.map(\.rawName).listed }
        let isUnreadable =
            directive.argument == .none ? "" : " Its argument is not a list of fields."
        switch alone.privacy {
        case .absent: break
        case .response: return "for one user, so shared caches do not store it (RFC 9111 §5.2.2.7).\(isUnreadable)"
        case .fields(let fields): return "\(names(fields)) is not stored with the response (RFC 9111 §5.2.2.7)."
        }
        switch alone.noCache {
        case .absent: return nil
        case .response: return "must be validated before every use (RFC 9111 §5.2.2.4).\(isUnreadable)"
        case .fields(let fields): return "\(names(fields)) is not stored with the response (RFC 9111 §5.2.2.4)."
        }
    }

    private static func flag(_ alone: ResponseDirectives) -> String? {
        if alone.isPublic { return "any cache may store it (RFC 9111 §5.2.2.9)." }
        if alone.noStore { return "no cache may store it (RFC 9111 §5.2.2.5)." }
        if alone.mustRevalidate { return "must not be served stale (RFC 9111 §5.2.2.2)." }
        if alone.proxyRevalidate { return "must not be served stale by a shared cache (RFC 9111 §5.2.2.8)." }
        if alone.mustUnderstand {
            return "stored only if the status is understood, and then in spite of no-store (RFC 9111 §5.2.2.3)."
        }
        if alone.immutable {
            return "will not change while it is fresh, so a reload does not ask the origin (RFC 8246 §2)."
        }
        if alone.noTransform { return "the content must not be transformed, which this cache never does (§5.2.2.6)." }
        return nil
    }
}

/// The meaning of each directive of a request to this cache, found by reading the directive alone.
enum RequestReading {
    static func sentences(_ request: HTTPFields) -> [String] {
        FieldList.members(of: .cacheControl, in: request).map { member in
            let alone = RequestDirectives([.cacheControl: String(member)])
            return "\(quoted(member)): \(self.meaning(of: alone))"
        }
    }

    private static func meaning(of alone: RequestDirectives) -> String {
        if alone.noCache { return "no stored response without validation (RFC 9111 §5.2.1.4)." }
        if alone.noStore { return "the response must not be stored (RFC 9111 §5.2.1.5)." }
        if alone.onlyIfCached { return "only a stored response, or else a 504 (RFC 9111 §5.2.1.7)." }
        if let age = alone.maxAge { return "no response that is older than \(age.inWords) (RFC 9111 §5.2.1.1)." }
        if let time = alone.minFresh {
            return "only a response that stays fresh for \(time.inWords) (RFC 9111 §5.2.1.3)."
        }
        switch alone.maxStale {
        case .any: return "a stale response is accepted (RFC 9111 §5.2.1.2)."
        case .atMost(let time):
            return "a response that is stale for at most \(time.inWords) is accepted (RFC 9111 §5.2.1.2)."
        case nil: break
        }
        if let time = alone.staleIfError {
            return "if the origin fails, stale for at most \(time.inWords) is accepted (RFC 5861 §4)."
        }
        if alone.noTransform { return "the content must not be transformed, which this cache never does (§5.2.1.6)." }
        return "ignored: this cache does not know it, or its argument is invalid (RFC 9111 §5.2.3)."
    }
}
