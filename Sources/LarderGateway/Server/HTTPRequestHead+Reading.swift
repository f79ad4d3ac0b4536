import HTTPTypes
import LarderHummingbird
import NIOHTTP1
import NIOHTTPTypesHTTP1

extension HTTPRequestHead {
    /// Returns the request of the head, or the refusal of a head that is ambiguous or too large.
    /// - Parameter limit: The largest size of the head in bytes.
    func request(upTo limit: Int) -> Result<HTTPRequest, RequestRefusal> {
        var normalized = self
        var refusal = HTTP1RequestValidator.normalize(&normalized).map { RequestRefusal($0) }
        if let request = try? HTTPRequest(normalized, secure: false, splitCookie: false) {
            refusal = refusal ?? request.excess(over: limit)
            if refusal == nil { return .success(request) }
        }
        var named = refusal ?? RequestRefusal("The method is not a valid token")
        (named.method, named.target, named.version) = (method.rawValue, uri, version.text)
        return .failure(named)
    }
}
