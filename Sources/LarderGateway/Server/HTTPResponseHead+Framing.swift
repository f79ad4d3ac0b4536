import HTTPTypes
import NIOHTTP1
import NIOHTTPTypesHTTP1

extension HTTPResponseHead {
    /// Creates the head of a response in the framing of its connection.
    init(_ response: HTTPResponse, in framing: HTTP1ConnectionState.Framing) {
        self.init(response)
        // "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request indicates
        // HTTP/1.1 (or later minor revisions)" (RFC 9112 §6.1): the encoder goes by the version.
        if framing.isHTTP10 { version = .http1_0 }
        // "A server that does not support persistent connections MUST send the "close" connection option in every
        // response message that does not have a 1xx (Informational) status code" (§9.3). A server that ends one
        // connection may send it as well. HTTP/1.0 clients need a field that says that the connection persists
        // (§C.2.2).
        if framing.closes {
            headers.replaceOrAdd(name: "Connection", value: "close")
        } else if framing.isHTTP10 {
            headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        }
    }
}
