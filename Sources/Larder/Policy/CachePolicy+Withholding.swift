import HTTPCaching
import HTTPTypes

/// The parts of a request that are removed before its response is looked up. Key, variant and fetch use the same
/// remaining request, so that a response depends on nothing that its key does not contain.
extension CachePolicy {
    /// Returns the request of an unknown user without the parts that responses must not depend on.
    func withholding(from request: HTTPRequest) -> HTTPRequest {
        let facts = RequestFacts(of: request.headerFields, credentials: rules.credentialFields)
        return withholding(from: request, facts, isForUser: false)
    }

    /// Returns the request without the fields, cookies and query parameters that responses must not depend on.
    /// - Parameter isForUser: True if the user is part of the key. The fields and cookies that identify the user are
    ///   not withheld then.
    func withholding(from request: HTTPRequest, _ facts: RequestFacts, isForUser: Bool) -> HTTPRequest {
        let losesCredentials = credentials == .ignored && !isForUser && (facts.hasCookie || facts.hasAuthorization)
        let cookies = facts.hasCookie ? credentialCookies : nil
        if withheldFields.isEmpty, !keys.ignoresParameters, !losesCredentials, cookies == nil { return request }
        var request = request
        for name in withheldFields where request.headerFields.contains(name) { request.headerFields[name] = nil }
        if losesCredentials {
            // A field that is part of the key separates the responses by its value, and is not withheld.
            for name in [.cookie, .authorization] + rules.credentialFields where !keys.fields.contains(name) {
                request.headerFields[name] = nil
            }
        }
        if let cookies { CookieNames.filter(cookies, in: &request.headerFields) }
        request.path = request.path.map(keys.withoutIgnored)
        return request
    }

    /// Returns the reason for which the credentials of a request with an unknown user make it bypass the cache; nil if
    /// they do not.
    func credentials(in fields: HTTPFields, _ facts: RequestFacts) -> BypassReason? {
        if credentials == .ignored { return nil }
        if credentials == .bypass, facts.hasAuthorization { return .authorization }
        guard facts.hasCookie else { return nil }
        if let credentialCookies { return CookieNames.contain(credentialCookies, in: fields) ? .cookie : nil }
        return credentials == .bypass ? .cookie : nil
    }
}
