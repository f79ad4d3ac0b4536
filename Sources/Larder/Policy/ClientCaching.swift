import HTTPCaching
import HTTPTypes

/// The directive that `Cache-Control` gives clients, apart from the time for which the cache stores a response. No
/// invalidation reaches the copies of clients.
public enum ClientCaching: Hashable, Sendable {
    /// Clients may store the response, and ask each time if it has changed (`no-cache`): an unchanged response costs a
    /// 304.
    case revalidate
    /// Clients may use the response for this many seconds without asking.
    case maxAge(Int)
    /// Clients must not store the response (`no-store`).
    case none
}

extension ClientCaching {
    /// Replaces what the fields of a response tell clients.
    ///
    /// A response with `no-store` is left as it is: it must not be stored by anybody. One with `private` stays private.
    /// - Parameters:
    ///   - age: The age of the response in seconds, which clients subtract from `max-age` (RFC 9111 §4.2).
    ///   - isPersonal: True if the response may be for one user alone, so that shared caches must not store it.
    ///   - rules: The rules by which the response is stored.
    func apply(to head: inout HTTPResponse, age: Int, isPersonal: Bool, by rules: CachingRules) {
        guard (200..<400).contains(head.status.code) || rules.lifetimes[head.status.code] != nil else { return }
        // The target of a temporary redirection may depend on the moment.
        if case .maxAge = self, [302, 303, 307].contains(head.status.code) { return }
        let directives = ResponseDirectives(head.headerFields, targets: [])
        if directives.noStore { return }
        // A field that `private` or `no-cache` names is for the client that the origin answered.
        let hasWithheld = directives.withheldFields.contains(where: head.headerFields.contains)
        let isPrivate = isPersonal || directives.privacy == .response || hasWithheld
        let directive =
            switch self {
            case .revalidate: "no-cache"
            case .maxAge(let seconds): "max-age=\(min(max(0, seconds), 1 << 31) + age)"
            case .none: "no-store"
            }
        head.headerFields[.cacheControl] = isPrivate && self != .none ? "private, " + directive : directive
        head.headerFields[.expires] = nil
        head.headerFields[.pragma] = nil
    }
}

// MARK: - Caches inside others

/// The directive for clients that a cache gives to the cache around it, which is the one that clients read.
struct InnerClientCaching {
    /// The directive; nil for the handler's own.
    var directive: ClientCaching?
    /// True if the response may be for one user alone.
    var isPersonal: Bool

    /// Removes the directive of the cache inside this one from a response.
    init?(takenFrom fields: inout HTTPFields) {
        guard let text = fields[.larderClientCaching] else { return nil }
        fields[.larderClientCaching] = nil
        let words = text.split(separator: ";")
        isPersonal = words.contains("personal")
        switch words.first {
        case "revalidate": directive = .revalidate
        case "none": directive = ClientCaching.none
        case let word?: directive = Int(word).map(ClientCaching.maxAge)
        case nil: directive = nil
        }
    }

    init(_ directive: ClientCaching?, isPersonal: Bool) {
        self.directive = directive
        self.isPersonal = isPersonal
    }

    /// Gives the directive to the cache around this one.
    func give(to fields: inout HTTPFields) {
        let word =
            switch directive {
            case .revalidate: "revalidate"
            case .maxAge(let seconds): "\(seconds)"
            case .some(.none): "none"
            case nil: "-"
            }
        fields[.larderClientCaching] = isPersonal ? word + ";personal" : word
    }
}

extension CachePolicy {
    /// Replaces what the fields of a response tell clients, or gives it to the cache around this one.
    /// - Parameters:
    ///   - age: The age of the response in seconds.
    ///   - isPersonal: True if the response may be for one user alone.
    ///   - isNested: True if the response goes to a cache around this one.
    ///   - hasInner: False if no cache inside this one says what clients are told, as far as is known.
    func tellClients(
        _ head: inout HTTPResponse,
        age: Int,
        isPersonal: Bool,
        isNested: Bool,
        hasInner: Bool = true
    ) {
        guard originKind == .handler else {
            clientCaching?.apply(to: &head, age: age, isPersonal: isPersonal, by: rules)
            return
        }
        // Most responses have no such field, and to look for it would be an appreciable part of a hit.
        let inner = hasInner ? InnerClientCaching(takenFrom: &head.headerFields) : nil
        let isPersonal = isPersonal || inner?.isPersonal == true
        let directive = clientCaching ?? inner?.directive
        if isNested {
            InnerClientCaching(directive, isPersonal: isPersonal).give(to: &head.headerFields)
        } else {
            directive?.apply(to: &head, age: age, isPersonal: isPersonal, by: rules)
        }
    }
}
