import HTTPCaching
package import HTTPTypes

/// What the cache does with a request, before it looks anything up.
@usableFromInline
package enum Admission: Sendable {
    /// Look for an answer, and fetch one where there is none.
    case lookUp(Inquiry)
    /// Pass the request on, and leave the store alone.
    case pass(PassReason)
    /// Pass the request on, and invalidate what it changes if it succeeds.
    case write

    /// Decides about a request.
    /// - Parameter user: who the answer is for; nil where the policy keeps no users apart, or the request has none.
    package static func decide(_ request: HTTPRequest, user: String?, policy: CachePolicy) -> Admission {
        // RFC 9111 §4.4: "A cache MUST invalidate the target URI … when it receives a non-error status code in response
        // to an unsafe request method (including methods whose safety is unknown)."
        guard request.method == .get || request.method == .head else {
            return Invalidation.isUnsafe(request.method) ? .write : .pass(.method)
        }
        if let rule = policy.passing, rule.applies(to: request) { return .pass(.rule) }
        let facts = RequestFacts(of: request.headerFields)
        if facts.hasContent { return .pass(.content) }
        // A precondition on the state of the resource is the origin's to judge (RFC 9111 §4.3.2).
        if facts.hasOriginConditions { return .pass(.precondition) }
        if user == nil, policy.credentials == .bypass {
            if facts.hasAuthorization { return .pass(.authorization) }
            if facts.hasCookie { return .pass(.cookie) }
        }
        let request = policy.withholding(from: request)
        guard let result = policy.keys.key(of: request, user: user), let target = request.path else {
            return .pass(.target)
        }
        if hasAlteredKey(request, user: user, policy.keys.fields) { return .pass(.alteredBytes) }
        if result.asksForBypass, policy.bypass.allows(request.headerFields) { return .pass(.asked) }
        return .lookUp(
            Inquiry(
                request: request,
                directives: facts.hasDirectives ? RequestDirectives(request.headerFields) : .none,
                isConditional: facts.hasConditions,
                hasRange: facts.hasRange && request.method == .get,
                hasAuthorization: facts.hasAuthorization,
                address: CacheAddress(key: result.key, target: result.target ?? target, tags: policy.tags),
                policy: policy
            )
        )
    }

    /// Returns true if a library has altered a value that becomes part of the key. A target with such bytes makes none.
    private static func hasAlteredKey(_ request: HTTPRequest, user: String?, _ names: [HTTPField.Name]) -> Bool {
        if let user, AlteredBytes.stand(in: user) { return true }
        guard !names.isEmpty else { return false }
        return AlteredBytes.stand(in: request.selectableFields, nominatedBy: .fields(names))
    }
}

/// Why a request passes the cache by: the `detail` of `Cache-Status`.
public enum PassReason: String, Sendable, CaseIterable {
    /// The client asked for it, and may: `?nocache=true`.
    case asked = "nocache"
    /// The route's rule says so: always, or for a request with such a cookie, query parameter or field.
    case rule
    /// The method is safe and not GET or HEAD.
    case method
    /// The request has content.
    case content
    /// The request has a `Cookie`, and the policy says nothing of users.
    case cookie
    /// The request has credentials, and the policy says nothing of users.
    case authorization
    /// `If-Match` or `If-Unmodified-Since`: only the origin can judge them.
    case precondition
    /// The target is none that a key can be made of.
    case target
    /// A value that tells responses apart holds U+FFFD: a library has altered bytes that were not UTF-8, and other
    /// values would look the same.
    case alteredBytes = "altered-bytes"
    /// The request was made by a fetch for the same key.
    case nested
    /// The request has conditions or a range, and nothing was kept lately of what the server answers here: they are
    /// for it to judge.
    case uncacheable
}

/// A request that the cache may answer, with all that its answer depends on.
@usableFromInline
package struct Inquiry: Sendable {
    package let request: HTTPRequest
    let directives: RequestDirectives
    /// Whether the request has conditions that a stored response can answer.
    let isConditional: Bool
    /// Whether the request is a GET for a range.
    let hasRange: Bool
    let hasAuthorization: Bool
    package let address: CacheAddress
    let policy: CachePolicy

    var isHead: Bool { request.method == .head }

    /// The 304 that the client's conditions are answered with, where a response with this head meets them
    /// (RFC 9111 §4.3.2); nil where it has to be sent.
    func notModified(_ head: HTTPResponse, receivedAt: Timestamp) -> HTTPResponse? {
        guard isConditional,
            Preconditions.evaluate(request, stored: head, receivedAt: receivedAt) == .notModified
        else { return nil }
        return HTTPResponse(
            status: .notModified,
            headerFields: Preconditions.notModifiedFields(from: head.headerFields)
        )
    }

    /// The request that a fill makes of the client's: a GET for the whole response, whatever the client has already,
    /// and without the cache's own parameter: its answer goes to those who did not send it.
    var fillRequest: HTTPRequest {
        var request = request
        request.method = .get
        request.path = request.path.map(policy.keys.withoutBypass)
        for name in RequestFacts.conditionsAndRanges where request.headerFields.contains(name) {
            request.headerFields[name] = nil
        }
        return request
    }
}

/// What the fields of a request say that an admission depends on, found in one pass.
struct RequestFacts {
    private(set) var hasCookie = false
    private(set) var hasAuthorization = false
    private(set) var hasDirectives = false
    private(set) var hasConditions = false
    private(set) var hasOriginConditions = false
    private(set) var hasRange = false
    private(set) var hasContent = false

    static let conditionsAndRanges: [HTTPField.Name] = [
        .ifNoneMatch, .ifModifiedSince, .ifMatch, .ifUnmodifiedSince, .range, .ifRange,
    ]

    init(of fields: HTTPFields) {
        for field in fields {
            let name = field.name.canonicalName
            // The length first: most fields are none of these, and comparing text is the dear part.
            switch name.utf8.count {
            case 5 where name == "range": hasRange = true
            case 6 where name == "cookie": hasCookie = true
            case 6 where name == "pragma": hasDirectives = true
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
}
