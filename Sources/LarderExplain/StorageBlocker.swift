import HTTPCaching
import HTTPTypes
public import Larder

/// One thing that keeps a response from being stored, in words.
public struct StorageBlocker: Hashable, Sendable {
    /// The reason by its type.
    public enum Reason: Hashable, Sendable {
        /// The request passes the cache by, so that nothing is looked up or stored.
        case passedBy(BypassReason)
        /// The request changes something, and invalidates.
        case write
        /// The response is not kept.
        case notStored(NotStoredReason)
    }

    /// The reason by its type.
    public let reason: Reason
    /// Why, in a sentence, with its source.
    public let sentence: String
    /// What would have to be different, in a sentence.
    public let remedy: String

    /// The token of the reason, as `Cache-Status` shows it.
    public var token: String {
        switch reason {
        case .passedBy(let reason): reason.rawValue
        case .write: "write"
        case .notStored(let notStored): notStored.detail
        }
    }
}

/// Finds all that is in the way, not the first thing alone: what the rules refuse is granted, and they are asked again.
struct StorageBlockerSearch {
    private var request: HTTPRequest
    private var response: HTTPResponse
    private var directives: ResponseDirectives
    private var rules: CachingRules
    private let exchange: Exchange

    /// What refused, in the order of the rules.
    private(set) var refusals: [NotStorableReason] = []
    /// What the rules say once everything that was refused is granted; nil where something cannot be.
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
            case .notStorable(let refusal):
                // What was granted and is refused again would be refused for ever.
                guard !refusals.contains(refusal) else { return }
                refusals.append(refusal)
                guard grant(refusal) else { return }
            }
        }
    }

    /// Takes an obstacle away; false where no response is left without it.
    private mutating func grant(_ refusal: NotStorableReason) -> Bool {
        switch refusal {
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
