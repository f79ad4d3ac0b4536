import HTTPCaching
import HTTPTypes

/// What a request loses before its answer is looked for: key, variant and fetch agree on what is left, so that nothing
/// an answer was made of is missing in its key.
extension CachePolicy {
    /// The request of nobody in particular without what answers must not depend on.
    func withholding(from request: HTTPRequest) -> HTTPRequest {
        let facts = RequestFacts(of: request.headerFields, credentials: rules.credentialFields)
        return withholding(from: request, facts, isForUser: false)
    }

    /// The request without the fields, cookies and query parameters that answers must not depend on.
    /// - Parameter isForUser: If the user who asks is part of the key. What identifies the user is not withheld then.
    func withholding(from request: HTTPRequest, _ facts: RequestFacts, isForUser: Bool) -> HTTPRequest {
        let losesCredentials = credentials == .ignored && !isForUser && (facts.hasCookie || facts.hasAuthorization)
        let cookies = facts.hasCookie ? credentialCookies : nil
        if withheldFields.isEmpty, keys.ignoredParameters.isEmpty, !losesCredentials, cookies == nil { return request }
        var request = request
        for name in withheldFields where request.headerFields.contains(name) { request.headerFields[name] = nil }
        if losesCredentials {
            // What is in the key tells its requests apart.
            for name in [.cookie, .authorization] + rules.credentialFields where !keys.fields.contains(name) {
                request.headerFields[name] = nil
            }
        }
        if let cookies { CookieNames.keep(cookies, in: &request.headerFields) }
        request.path = request.path.map(keys.withoutIgnored)
        return request
    }

    /// Returns why the credentials of a request whose user is unknown make it bypass the cache; nil if they do not.
    func credentials(in fields: HTTPFields, _ facts: RequestFacts) -> BypassReason? {
        if credentials == .ignored { return nil }
        if credentials == .bypass, facts.hasAuthorization { return .authorization }
        guard facts.hasCookie else { return nil }
        if let credentialCookies { return CookieNames.contain(credentialCookies, in: fields) ? .cookie : nil }
        return credentials == .bypass ? .cookie : nil
    }
}
