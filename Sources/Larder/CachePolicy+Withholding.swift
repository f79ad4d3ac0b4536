import HTTPTypes

/// What a request loses before its answer is looked for: key, variant and fetch agree on what is left, so that nothing
/// an answer was made of is missing in its key.
extension CachePolicy {
    var withholdsNothing: Bool { withheldFields.isEmpty && keys.ignoredParameters.isEmpty }

    /// The request without the fields and query parameters that answers must not depend on.
    func withholding(from request: HTTPRequest) -> HTTPRequest {
        var request = request
        for name in withheldFields where request.headerFields.contains(name) { request.headerFields[name] = nil }
        if !keys.ignoredParameters.isEmpty { request.path = request.path.map(keys.withoutIgnored) }
        return request
    }
}

extension KeyRule {
    /// A target without the parameters that are left out, the rest as it came.
    fileprivate func withoutIgnored(_ target: String) -> String {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return target }
        let query = target.utf8[mark...].dropFirst()
        let pairs = query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
        let others = pairs.filter { pair in
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            return !ignoredParameters.contains { $0.matches(name) }
        }
        guard others.count < pairs.count else { return target }
        return target[..<mark] + (others.isEmpty ? "" : "?" + others.map { Substring($0) }.joined(separator: "&"))
    }
}
