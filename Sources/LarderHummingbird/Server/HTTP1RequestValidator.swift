package import NIOHTTP1

/// Checks on the head of an HTTP/1.1 request. A head that can be read in more than one way is rejected
/// (RFC 9112 §11.2).
///
/// A gateway that reads a message differently than the origin behind it lets a client smuggle a request past the
/// gateway.
package enum HTTP1RequestValidator {
    /// Normalizes a head to the form that all later handlers rely on: a path as target, one `Host`, one framing.
    /// - Returns: The reason to reject the head, as a sentence for the client; nil if the head is accepted.
    package static func settle(_ head: inout HTTPRequestHead) -> String? {
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
        if let host = hosts.first, !isHost(host) { return "The Host field is not a valid host" }
        // "When a client wishes to request OPTIONS for the server as a whole […] the client MUST send only "*""
        // (§3.2.4).
        let isForServer = head.method == .OPTIONS && head.uri == "*"
        if head.uri.utf8.first != UInt8(ascii: "/"), !isForServer {
            guard let target = AbsoluteTarget(head.uri) else { return "The target is not a path or an http URL" }
            guard isHost(target.authority) else { return "The host of the target is not valid" }
            // "When an origin server receives a request with an absolute-form of request-target, the origin server MUST
            // ignore the received Host header field (if any) and instead use the host information of the
            // request-target." (§3.2.2)
            head.uri = target.path
            head.headers.replaceOrAdd(name: "Host", value: target.authority)
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
            length.utf8.allSatisfy(isDigit)
        else { return "The Content-Length is not a valid length" }
        return nil
    }

    /// Returns true if a text may be a host with an optional port (RFC 9110 §7.2, RFC 3986 §3.2.2).
    package static func isHost(_ text: String) -> Bool {
        guard text.utf8.count <= 1_024 else { return false }
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "[") {
            let address = rest.dropFirst().prefix { isNameByte($0) || $0 == UInt8(ascii: ":") }
            rest = rest[address.endIndex...]
            guard !address.isEmpty, rest.popFirst() == UInt8(ascii: "]") else { return false }
        } else {
            let name = rest.prefix(while: isNameByte)
            rest = rest[name.endIndex...]
            guard !name.isEmpty else { return false }
        }
        guard let colon = rest.popFirst() else { return true }
        return colon == UInt8(ascii: ":") && rest.count <= 5 && rest.allSatisfy(isDigit)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: isDigit(byte) || "-._~%!$&'()*+;=".utf8.contains(byte)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

/// The parts of a target in absolute form (RFC 9112 §3.2.2).
private struct AbsoluteTarget {
    let authority: String
    let path: String

    init?(_ text: String) {
        let lower = text.prefix(8).lowercased()
        guard let scheme = ["http://", "https://"].first(where: lower.hasPrefix) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        authority = String(rest[..<end])
        let tail = rest[end...]
        // "If the target URI's path component is empty, the client MUST send "/" as the path."
        path = tail.first == "/" ? String(tail) : "/" + tail
    }
}
