import HTTPTypes

/// What a request loses before its answer is looked for: key, variant and fetch agree on what is left, so that nothing
/// an answer was made of is missing in its key.
extension CachePolicy {
    /// The request without the fields and query parameters that answers must not depend on.
    func withholding(from request: HTTPRequest) -> HTTPRequest {
        if withheldFields.isEmpty, keys.ignoredParameters.isEmpty { return request }
        var request = request
        for name in withheldFields where request.headerFields.contains(name) { request.headerFields[name] = nil }
        request.path = request.path.map(keys.withoutIgnored)
        return request
    }
}
