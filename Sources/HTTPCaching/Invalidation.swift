public import HTTPTypes

/// What a request that changes something invalidates (RFC 9111 §4.4).
public enum Invalidation {
    /// Whether a method may change something, those included that nobody knows.
    public static func isUnsafe(_ method: HTTPRequest.Method) -> Bool { false }

    /// Whether an answer with this status means that something was changed: 2xx and 3xx.
    public static func succeeded(_ status: HTTPResponse.Status) -> Bool { false }

    /// The request targets (path and query, on the origin of the request) that the answer makes invalid: empty where
    /// the method is safe or the answer an error, else the request's own first.
    public static func targets(request: HTTPRequest, response: HTTPResponse) -> [String] { [] }
}
