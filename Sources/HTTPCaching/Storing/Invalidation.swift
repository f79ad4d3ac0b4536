public import HTTPTypes

/// The invalidations that follow from requests with unsafe methods (RFC 9111 §4.4).
public enum Invalidation {
    /// Returns true if a method may change something: all methods except those registered as safe, "including methods
    /// whose safety is unknown".
    public static func isUnsafe(_ method: HTTPRequest.Method) -> Bool {
        switch method.rawValue {
        case "GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH": false
        default: true
        }
    }

    /// Returns true if a response means that something was changed: "A non-error response is one with a 2xx
    /// (Successful) or 3xx (Redirection) status code."
    public static func succeeded(_ status: HTTPResponse.Status) -> Bool {
        (200...399).contains(status.code)
    }

    /// Returns the targets (path and query, on the origin of the request) that a request and its response invalidate,
    /// each once and the request's target first. Returns none if the method is safe or the response is an error.
    ///
    /// "A cache MUST invalidate the target URI when it receives a non-error status code in response to an unsafe
    /// request method." "The URI(s) in the Location and Content-Location response header fields (if present) are
    /// candidates for invalidation [...]. However, a cache MUST NOT trigger an invalidation under these conditions if
    /// the origin of the URI to be invalidated differs from that of the target URI. This helps prevent
    /// denial-of-service attacks."
    public static func targets(request: HTTPRequest, response: HTTPResponse) -> [String] {
        guard isUnsafe(request.method), succeeded(response.status) else { return [] }
        let base = TargetURI(request)
        var targets = [base.target]
        for name in [HTTPField.Name.location, .contentLocation] {
            let values = response.headerFields[values: name]
            // Targets are compared by bytes: two Unicode encodings of one letter are two targets.
            guard values.count == 1, let target = base.targetOnSameOrigin(values[0]),
                !targets.contains(where: { $0.utf8.elementsEqual(target.utf8) })
            else { continue }
            targets.append(target)
        }
        return targets
    }

    /// Returns the target of a request (path and query, on the origin of the request).
    public static func target(of request: HTTPRequest) -> String { TargetURI(request).target }
}
