import HTTPTypes
import Hummingbird
import LarderHummingbird

extension Response {
    /// The response to a request whose head does not fit into the memory that is left.
    static var outOfMemory: Response {
        var response = Response.message(
            .serviceUnavailable,
            "The gateway has no memory left for this request: try again later"
        )
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
        if status == .misdirectedRequest { return "This host is not served by the gateway" }
        if status == .requestTimeout { return "The request did not arrive in time" }
        return switch code {
        case .connectionRefused: "The origin refuses connections"
        case .connectionTimeout: "Connecting to the origin took too long"
        case .connectionTerminated: "The origin closed the connection before it sent a response"
        case .connectionLimitReached: "All connections to the origin are in use: try again later"
        case .connectionReadTimeout: "The origin stopped sending its response"
        case .destinationNotFound: "The origin cannot be reached"
        case .dnsError: "The host name of the origin cannot be resolved"
        case .tlsProtocolError: "The TLS connection to the origin failed"
        case .responseTimeout: "The origin did not respond in time"
        case .protocolError: "The response of the origin is not valid HTTP"
        case .incompleteResponse: "The response of the origin is incomplete"
        case .headerSectionSize: "The header fields of the origin's response are too large"
        case .requestError: "This request is invalid and cannot be forwarded"
        case .requestDenied: "This method is not forwarded: expected one of \(Self.allowedMethods)"
        case .loopDetected: "This gateway has already forwarded this request: there is a loop"
        case .internalError: "The gateway failed to handle the request"
        }
    }
}
