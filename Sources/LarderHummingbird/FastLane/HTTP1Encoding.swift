import HTTPTypes
package import NIOCore
package import NIOHTTP1

/// The encoding of response heads in HTTP/1.1, as NIO's `HTTPResponseEncoder` writes them.
package enum HTTP1Encoding {
    /// Returns the bytes of a head, up to and including the empty line; nil if the head does not say where the response
    /// ends.
    package static func bytes(of head: HTTPResponseHead) -> ByteBuffer? {
        var headers = head.headers
        if head.status.mayHaveResponseBody {
            guard headers.contains(name: "content-length"), !headers.contains(name: "transfer-encoding") else {
                return nil
            }
        } else {
            headers.remove(name: "content-length")
            headers.remove(name: "transfer-encoding")
        }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(512)
        bytes.writeString("HTTP/\(head.version.major).\(head.version.minor) \(head.status.code) ")
        bytes.writeString(head.status.reasonPhrase)
        bytes.writeStaticString("\r\n")
        for (name, value) in headers {
            bytes.writeString(name)
            bytes.writeStaticString(": ")
            bytes.writeString(value)
            bytes.writeStaticString("\r\n")
        }
        bytes.writeStaticString("\r\n")
        return bytes
    }
}

extension HTTPRequestHead {
    /// True if a hit can be sent as soon as the request is read: it is a GET or HEAD of HTTP/1.1 without content, and
    /// the connection persists with the same protocol.
    package var mayBeAnsweredAtOnce: Bool {
        (method == .GET || method == .HEAD) && version == .http1_1 && isKeepAlive
            && !headers.contains { name, _ in Self.announcesContent(name) }
    }

    /// Returns true for the names of the fields of a request that is followed by content, or by another protocol.
    private static func announcesContent(_ name: String) -> Bool {
        switch name.utf8.count {
        case 7: name.lowercased() == "upgrade"
        case 14: name.lowercased() == "content-length"
        case 17: name.lowercased() == "transfer-encoding"
        default: false
        }
    }
}
