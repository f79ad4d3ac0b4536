import HTTPCaching
package import NIOHTTP1

/// Checks on the head of an HTTP/1.1 request. A head that can be read in more than one way is rejected
/// (RFC 9112 §11.2).
///
/// A gateway that reads a message differently than the origin behind it lets a client smuggle a request past the
/// gateway.
package enum HTTP1RequestValidator {
    /// Normalizes a head to the form that all later handlers rely on: a path as target, one `Host`, one framing.
    /// - Returns: The reason to reject the head, as a sentence for the client; nil if the head is accepted.
    package static func normalize(_ head: inout HTTPRequestHead) -> String? {
        guard head.version.major == 1 else { return "This version of HTTP is not supported" }
        return settleTarget(&head) ?? settleFraming(&head)
    }

    private static func settleTarget(_ head: inout HTTPRequestHead) -> String? {
        let hosts = head.headers["Host"]
        // "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host
        // header field and to any request message that contains more than one Host header field line or a Host header
        // field with an invalid field value." (RFC 9112 §3.2)
        // An HTTP/1.0 request may have none.
        guard hosts.count <= 1, hosts.count == 1 || head.version.minor == 0 else {
            return "A request must have exactly one Host field"
        }
        if let host = hosts.first, Authority(host) == nil { return "The Host field is not a valid host" }
        // "When a client wishes to request OPTIONS for the server as a whole […] the client MUST send only "*""
        // (§3.2.4).
        let isForServer = head.method == .OPTIONS && head.uri == "*"
        if head.uri.utf8.first != ASCII.slash, !isForServer {
            guard let target = AbsoluteURI(head.uri), target.isHTTP else {
                return "The target is not a path or an http URL"
            }
            guard Authority(target.authority) != nil else { return "The host of the target is not valid" }
            // "When an origin server receives a request with an absolute-form of request-target, the origin server MUST
            // ignore the received Host header field (if any) and instead use the host information of the
            // request-target." (§3.2.2)
            // "If the target URI's path component is empty, the client MUST send "/" as the path." (§3.2.1)
            head.uri = (target.rest.utf8.first == ASCII.slash ? "" : "/") + target.rest
            head.headers.replaceOrAdd(name: "Host", value: String(target.authority))
        }
        // "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that expectation."
        // (RFC 9110 §10.1.1)
        if head.version.minor == 0 { head.headers.remove(name: "Expect") }
        // The parser's name for this method lacks a hyphen.
        if head.method == .MSEARCH { head.method = .RAW(value: "M-SEARCH") }
        return nil
    }

    private static func settleFraming(_ head: inout HTTPRequestHead) -> String? {
        let (lengths, encodings) = (head.headers["Content-Length"], head.headers["Transfer-Encoding"])
        if !encodings.isEmpty {
            // "A server MAY reject a request that contains both Content-Length and Transfer-Encoding", and "a server
            // that receives a request message with a transfer coding it does not understand SHOULD respond with 501";
            // HTTP/1.0 does not define transfer codings (RFC 9112 §6.1). `chunked` is the only coding that all servers
            // understand alike.
            guard lengths.isEmpty, encodings.count == 1, encodings[0].lowercased() == "chunked",
                head.version.minor > 0
            else { return "The length of the content is ambiguous: expected one Content-Length, or chunked" }
            return nil
        }
        guard let length = lengths.first else {
            // A request without either has no content. An explicit length of 0 bytes states this to later handlers and
            // the origin.
            switch head.method {
            case .GET, .HEAD, .DELETE, .OPTIONS, .TRACE: break
            default: head.headers.add(name: "Content-Length", value: "0")
            }
            return nil
        }
        guard lengths.count == 1, !length.isEmpty, length.utf8.count <= 18,
            length.utf8.allSatisfy(ASCII.isDigit)
        else { return "The Content-Length is not a valid length" }
        return nil
    }
}
