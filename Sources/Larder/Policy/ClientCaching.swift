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
    func apply(to head: inout HTTPResponse, age: Int, isPersonal: Bool) {
        guard (200..<400).contains(head.status.code) else { return }
        // The target of a temporary redirection may depend on the moment.
        if case .maxAge = self, [302, 303, 307].contains(head.status.code) { return }
        let directives = ResponseDirectives(head.headerFields, targets: [])
        if directives.noStore { return }
        let isPrivate = isPersonal || directives.privacy == .response
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
