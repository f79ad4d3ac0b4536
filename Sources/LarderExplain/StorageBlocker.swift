import HTTPCaching
import HTTPTypes
public import Larder

/// One reason why a response is not stored, in words.
public struct StorageBlocker: Hashable, Sendable {
    /// The reason, by the part of the cache that gives it.
    public enum Reason: Hashable, Sendable {
        /// The request bypasses the cache, so that no response is looked up or stored.
        case bypassed(BypassReason)
        /// The request changes something, and invalidates stored responses.
        case write
        /// The request may be answered from the store, and its response is not stored.
        case notStored(NotStoredReason)
    }

    /// The reason, by the part of the cache that gives it.
    public let reason: Reason
    /// The reason in a sentence, with its source.
    public let sentence: String
    /// The change that would remove the reason, in a sentence.
    public let remedy: String

    /// The token of the reason in `Cache-Status`.
    public var token: String {
        switch reason {
        case .bypassed(let reason): reason.rawValue
        case .write: "write"
        case .notStored(let notStored): notStored.detail
        }
    }
}

/// A search for all reasons against storing a response. Each reason is removed from the input, and the rules decide
/// again.
struct StorageBlockerSearch {
    private var request: HTTPRequest
    private var response: HTTPResponse
    private var directives: ResponseDirectives
    private var rules: CachingRules
    private let exchange: Exchange

    /// The reasons against storing, in the order in which the rules give them.
    private(set) var reasons: [NotStorableReason] = []
    /// The lifetimes of the response without all the reasons; nil if one of them cannot be removed.
    private(set) var lifetimes: Lifetimes?

    init(_ exchange: Exchange, rules: CachingRules) {
        self.exchange = exchange
        self.request = exchange.request
        self.response = exchange.response
        self.directives = exchange.directives(rules)
        self.rules = rules
        search()
    }

    private mutating func search() {
        while true {
            let decision = Storability.decide(
                request: request,
                response: response,
                directives: directives,
                rules: rules,
                requestedAt: exchange.requestedAt,
                respondedAt: exchange.respondedAt
            )
            switch decision {
            case .store(let lifetimes):
                self.lifetimes = lifetimes
                return
            case .notStorable(let reason):
                // A reason that returns after it was removed cannot be removed.
                guard !reasons.contains(reason) else { return }
                reasons.append(reason)
                guard remove(reason) else { return }
            }
        }
    }

    /// Removes a reason from the input. Returns false if it cannot be removed without another response.
    private mutating func remove(_ reason: NotStorableReason) -> Bool {
        switch reason {
        case .method: request.method = .get
        case .requestNoStore: request.headerFields[.cacheControl] = nil
        case .status:
            guard rules.storableStatuses == .ok else { return false }
            rules.storableStatuses = .everyFinal
        case .partial, .noFreshness, .alteredBytes: return false
        case .unacceptedCoding: response.headerFields[.contentEncoding] = nil
        case .requestAlteredBytes: response.headerFields[.vary] = nil
        case .notUnderstood: directives.mustUnderstand = false
        case .noStore: directives.noStore = false
        case .private: directives.privacy = .absent
        case .authorization: rules.allowsAuthorization = true
        case .setCookie: rules.allowsSetCookie = true
        case .varyStar: response.headerFields[.vary] = nil
        case .notPublic: rules.requiresExplicitPermission = false
        case .noCache: response.headerFields[.eTag] = "\"validator\""
        case .eventStream: response.headerFields[.contentType] = nil
        }
        return true
    }
}
