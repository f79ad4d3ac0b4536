import HTTPCaching
package import HTTPTypes
import NIOCore

/// The decision about a request, made before anything is looked up.
@usableFromInline
package enum RequestDecision: Sendable {
    /// The request is looked up in the store, and fetched if the store cannot answer it.
    case lookUp(CacheableRequest)
    /// The request goes to the origin without the store.
    case bypass(BypassReason)
    /// The request goes to the origin, and what it may have changed is invalidated.
    case write

    /// Returns the decision about a request.
    /// - Parameter user: The ID of the user whom the response is for; nil if the policy does not distinguish users, or
    ///   if the request has no user.
    package static func decide(_ request: HTTPRequest, user: String?, policy shared: SharedPolicy) -> RequestDecision {
        let policy = shared.policy
        // RFC 9111 §4.4: "A cache MUST invalidate the target URI … when it receives a non-error status code in response
        // to an unsafe request method (including methods whose safety is unknown)."
        let method = request.method
        let isQuery = policy.queryMethods[method] != nil
        guard isQuery || method == .get || method == .head else {
            return Invalidation.isUnsafe(method) ? .write : .bypass(.method)
        }
        if let reason = policy.bypassRule?.reason(for: request) { return .bypass(reason) }
        let facts = RequestFacts(of: request.headerFields, credentials: policy.rules.credentialFields)
        // The content of a query is part of its key, unless it is too large.
        if isQuery ? policy.keys.content == nil : facts.hasContent { return .bypass(.content) }
        // A handler accepts an upgrade by what it does to the client's connection. A server has another connection.
        if facts.asksForWebSocket, policy.originKind == .handler { return .bypass(.upgrade) }
        // Only the origin can evaluate a precondition on the state of the resource (RFC 9111 §4.3.2).
        if facts.hasOriginConditions { return .bypass(.precondition) }
        // An empty ID is nobody's: all clients without an ID would share it, whatever their credentials.
        let user = user?.isEmpty == true ? nil : user
        if user == nil, let reason = policy.credentials(in: request.headerFields, facts) { return .bypass(reason) }
        let fields = request.headerFields
        let request = policy.withholding(from: request, facts, isForUser: user != nil)
        guard let result = policy.keys.key(of: request, user: user), let target = request.path else {
            return .bypass(.target)
        }
        if hasAlteredKey(request, user: user, policy.keys) { return .bypass(.alteredBytes) }
        if result.asksForBypass, policy.clientBypass.allows(fields) { return .bypass(.asked) }
        return .lookUp(
            CacheableRequest(
                request: request,
                directives: facts.hasDirectives ? policy.directives(of: request) : .none,
                isConditional: facts.hasConditions && !isQuery,
                hasRange: facts.hasRange && request.method == .get,
                hasAuthorization: facts.hasAuthorization,
                isForUser: user != nil,
                location: EntryLocation(key: result.key, target: result.target ?? target, tags: policy.tags),
                sharedPolicy: shared
            )
        )
    }

    /// Returns true if a library has altered a value that becomes part of the key. A target with such bytes does not
    /// become a key.
    private static func hasAlteredKey(_ request: HTTPRequest, user: String?, _ keys: KeyPolicy) -> Bool {
        if let user, AlteredBytes.occur(in: user) { return true }
        if keys.parts.contains(where: { AlteredBytes.occur(in: $0.value) }) { return true }
        guard !keys.fields.isEmpty else { return false }
        return AlteredBytes.occur(in: request.selectableFields, nominatedBy: .fields(keys.fields))
    }
}

/// The reason why a request bypasses the cache: the `detail` of `Cache-Status`.
public enum BypassReason: String, Sendable, CaseIterable {
    /// The client asked for a bypass with `?nocache=true`, and the policy allows it.
    case asked = "nocache"
    /// The route's rule demands it: always, or for requests with a certain cookie, query parameter or field.
    case rule
    /// The method is safe and not GET or HEAD.
    case method
    /// The request has content.
    case content
    /// The request has a `Cookie`, or a cookie that the policy names as a credential, and the caller did not say which
    /// user the response is for.
    case cookie
    /// The request has a field with credentials (`Authorization`, `Proxy-Authorization`, `X-API-Key`, or one that the
    /// policy names), and the caller did not say which user the response is for.
    case authorization
    /// The request is a HEAD that a separate handler for HEAD may answer, whose response is not a response to GET.
    case head
    /// The request asks to change to the WebSocket protocol (RFC 9110 §7.8).
    case upgrade
    /// The request has `If-Match` or `If-Unmodified-Since`, which only the origin can evaluate.
    case precondition
    /// The target cannot be made into a key, or has more readings than a response can be invalidated by.
    case target
    /// A value that distinguishes responses holds U+FFFD: a library has altered bytes that were not UTF-8, and other
    /// values would look the same.
    case alteredBytes = "altered-bytes"
    /// The response is in Redis, and the memory for bodies in flight is used up.
    case noRoom = "no-room"
    /// The request was made by a fetch for the same key.
    case nested
    /// The request has conditions or a range, which the origin evaluates because responses for the key were not
    /// storable lately.
    case uncacheable
}

/// A request that the cache may answer, with everything that its response depends on.
@usableFromInline
package struct CacheableRequest: Sendable {
    package let request: HTTPRequest
    let directives: RequestDirectives
    /// True if the request has conditions that a stored response can answer.
    let isConditional: Bool
    /// True if the request is a GET for a range.
    let hasRange: Bool
    let hasAuthorization: Bool
    /// True if the user is part of the key.
    let isForUser: Bool
    package let location: EntryLocation
    let sharedPolicy: SharedPolicy
    /// The time at which the cache received the request.
    let arrival = NIODeadline.now()

    var policy: CachePolicy { sharedPolicy.policy }
    var isHead: Bool { request.method == .head }

    /// True if the response may be for some clients alone: shared caches between the clients and this one do not know
    /// the parts of its key.
    var isPersonal: Bool {
        policy.isPersonal || isForUser || !policy.keys.parts.isEmpty || policy.keys.fields.contains { $0 != .hostField }
    }

    /// The reason why the request bypasses the cache if no response is stored; nil if a fetch answers it.
    ///
    /// A responder that has its own routes may answer HEAD by another handler than GET, or HEAD alone. A stored
    /// response, even a stale one, shows that it answers GET.
    var bypassOnMiss: BypassReason? { isHead && policy.forwardsHead ? .head : nil }

    /// Returns the 304 that answers the client's conditions if a response with this head meets them (RFC 9111 §4.3.2);
    /// nil if the response has to be sent.
    func notModified(_ head: HTTPResponse, receivedAt: Timestamp) -> HTTPResponse? {
        guard isConditional,
            Preconditions.evaluate(request, stored: head, receivedAt: receivedAt) == .notModified
        else { return nil }
        return HTTPResponse(
            status: .notModified,
            headerFields: Preconditions.notModifiedFields(from: head.headerFields)
        )
    }

    /// Returns the 304 for a response with this head that is not from the store; nil if the response has to be sent.
    ///
    /// "A recipient MUST ignore the If-Modified-Since header field if the resource does not have a modification date
    /// available." (RFC 9110 §13.1.3) Its `Date` counts for stored responses only (RFC 9111 §4.3.2).
    func notModified(received head: HTTPResponse, at moment: Timestamp) -> HTTPResponse? {
        let hasValidator = request.headerFields.contains(.ifNoneMatch) || head.headerFields.contains(.lastModified)
        return hasValidator ? notModified(head, receivedAt: moment) : nil
    }

    /// The request by which the cache is filled: a GET (or the query that the client sent) for the whole response,
    /// without the client's conditions and range, and without the cache's own parameter, since the response is also for
    /// clients that did not send it.
    var fillRequest: HTTPRequest {
        var request = request
        if isHead { request.method = .get }
        request.path = request.path.map(policy.keys.withoutBypass)
        for name in RequestFacts.conditionsAndRanges where request.headerFields.contains(name) {
            request.headerFields[name] = nil
        }
        return request
    }
}

/// The properties of a request's fields that the decision depends on, found in one pass.
struct RequestFacts {
    private(set) var hasCookie = false
    /// True if the request has `Authorization`, or another field with credentials.
    private(set) var hasAuthorization = false
    private(set) var asksForWebSocket = false
    private(set) var hasDirectives = false
    private(set) var hasConditions = false
    private(set) var hasOriginConditions = false
    private(set) var hasRange = false
    private(set) var hasContent = false

    static let conditionsAndRanges: [HTTPField.Name] = [
        .ifNoneMatch, .ifModifiedSince, .ifMatch, .ifUnmodifiedSince, .range, .ifRange,
    ]

    init(of fields: HTTPFields, credentials: [HTTPField.Name]) {
        // Lengths are compared first: most fields are none of these, and comparing text is expensive.
        let lengths = credentials.reduce(into: 0 as UInt64) { $0 |= Self.bit(of: $1.canonicalName.utf8.count) }
        for field in fields {
            let name = field.name.canonicalName
            let length = name.utf8.count
            if lengths & Self.bit(of: length) != 0, credentials.contains(field.name) { hasAuthorization = true }
            switch length {
            case 5 where name == "range": hasRange = true
            case 6 where name == "cookie": hasCookie = true
            case 6 where name == "pragma": hasDirectives = true
            case 7 where name == "upgrade": asksForWebSocket = asksForWebSocket || Self.namesWebSocket(field.value)
            case 8 where name == "if-match": hasOriginConditions = true
            case 13 where name == "authorization": hasAuthorization = true
            case 13 where name == "cache-control": hasDirectives = true
            case 13 where name == "if-none-match": hasConditions = true
            case 14 where name == "content-length": hasContent = hasContent || field.value != "0"
            case 17 where name == "if-modified-since": hasConditions = true
            case 17 where name == "transfer-encoding": hasContent = true
            case 19 where name == "if-unmodified-since": hasOriginConditions = true
            default: break
            }
        }
    }

    /// Returns the bit that stands for names of this length; names of 63 bytes and more share one.
    private static func bit(of length: Int) -> UInt64 { 1 << UInt64(min(length, 63)) }

    /// Returns true if `Upgrade` lists WebSocket, with or without a version. "Recipients SHOULD use case-insensitive
    /// comparison when matching each protocol-name" (RFC 9110 §7.8).
    private static func namesWebSocket(_ upgrade: String) -> Bool {
        FieldList(upgrade).contains { $0.prefix { $0 != "/" }.lowercased() == "websocket" }
    }
}
