import HTTPTypes
import Hummingbird
import LarderHummingbird

extension Response {
    /// The response to a request whose head does not fit into the memory that is left.
    static var outOfMemory: Response {
        var response = Response.message(.serviceUnavailable, "There is no memory for this request: try again")
        response.headers[.retryAfter] = "5"
        return response
    }

    /// Returns the response that a client gets if the origin's response cannot be sent: the status, a sentence, and the
    /// cause in `Proxy-Status` (RFC 9209), which names the gateway and not the origin.
    static func failure(_ error: UpstreamError, status: HTTPResponse.Status? = nil, by name: String) -> Response {
        var response = Response.message(status ?? error.status, error.sentence)
        response.headers[.proxyStatus] = "\(name); error=\(error.type)"
        // The client is asked to retry, because connections become free constantly.
        if error.code == .connectionLimitReached { response.headers[.retryAfter] = "5" }
        if error.code == .requestDenied { response.headers[.allow] = UpstreamError.allowedMethods }
        return response
    }

    /// Returns the response to a request that cannot be read, or is refused before it is read.
    static func refusal(_ refusal: RequestRefusal, by name: String) -> Response {
        var response = Response.message(refusal.status, refusal.sentence)
        response.headers[.proxyStatus] = "\(name); error=\(UpstreamError.Code.requestError.rawValue)"
        return response
    }
}

extension UpstreamError {
    /// The methods that are forwarded, as `Allow` names them. Other methods are forwarded as well if no origin could
    /// misread them.
    static let allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

    /// The error in a sentence for the reader of the response.
    fileprivate var sentence: String {
        if status == .misdirectedRequest { return "This host is not served here" }
        if status == .requestTimeout { return "The request did not come in time" }
        return switch code {
        case .connectionRefused: "The origin refuses connections"
        case .connectionTimeout: "The origin cannot be reached in time"
        case .connectionTerminated: "The origin closed the connection before it had answered"
        case .connectionLimitReached: "The origin has no connection left"
        case .connectionReadTimeout: "The origin stopped answering"
        case .destinationNotFound: "The origin cannot be reached"
        case .dnsError: "The origin's name is not known"
        case .tlsProtocolError: "The origin cannot be spoken to securely"
        case .responseTimeout: "The origin did not answer in time"
        case .protocolError: "The origin's answer is no HTTP"
        case .incompleteResponse: "The origin broke off its answer"
        case .headerSectionSize: "The origin's answer has too many fields"
        case .requestError: "This request cannot be sent on as it is"
        case .requestDenied: "This method is not sent on"
        case .loopDetected: "This request has come here before"
        case .internalError: "The gateway failed"
        }
    }
}
