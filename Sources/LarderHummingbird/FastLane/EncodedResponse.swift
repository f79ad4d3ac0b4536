package import HTTPTypes
package import Larder
package import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// A response from the store in the bytes of HTTP/1.1.
package struct EncodedResponse: Sendable {
    /// The head, and the body if it is small.
    package let bytes: ByteBuffer
    /// The rest of the response, with the stored response that it belongs to; nil if ``bytes`` is all of it.
    package let rest: (body: ByteBuffer, entry: CacheEntry)?
    package let status: Int
    /// The size of the body in bytes.
    package let bodySize: Int

    /// The size of the largest body that is copied behind its head, in bytes. Larger ones are shared.
    private static let copiedBody = 4_096

    /// Encodes a response; returns nil if its head does not say where it ends.
    /// - Parameter head: The head with the fields that the server adds.
    package init?(_ served: ServedResponse, head: HTTPResponse) {
        guard var bytes = HTTP1Encoding.bytes(of: HTTPResponseHead(head)) else { return nil }
        self.status = head.status.code
        self.bodySize = served.body?.readableBytes ?? 0
        if let body = served.body, bodySize > Self.copiedBody, let entry = served.entry {
            self.rest = (body, entry)
        } else {
            if let body = served.body { bytes.writeImmutableBuffer(body) }
            self.rest = nil
        }
        self.bytes = bytes
    }
}

/// A response that was sent, in the form in which it is sent again to equal requests. It does not hold the memory of
/// the stored response.
package final class RepeatableResponse: Sendable {
    package let hit: RepeatableHit
    /// The target of the request for the gateway's log; empty in applications.
    package let target: String
    /// The second since the epoch that an application's server has written into `Date`; nil in the gateway, which sends
    /// the `Date` of the entry.
    package let dateSecond: Int64?
    package let status: Int
    /// The size of the body in bytes.
    package let bodySize: Int
    private let bytes: ByteBuffer
    /// True if the body of the stored response follows.
    private let sendsStoredBody: Bool

    /// The largest size of the bytes that are remembered: 8 KiB.
    private static var sizeLimit: Int { 8 << 10 }

    /// Creates the form of a response that was sent; nil if it is too large, or if a part of the stored body follows
    /// its head.
    package init?(_ hit: RepeatableHit, _ response: EncodedResponse, target: String = "", dateSecond: Int64? = nil) {
        let rest = response.rest
        guard rest == nil || rest?.body.readableBytes == rest?.entry.body.readableBytes,
            response.bytes.readableBytes <= Self.sizeLimit
        else { return nil }
        self.hit = hit
        self.target = target
        self.dateSecond = dateSecond
        self.status = response.status
        self.bodySize = response.bodySize
        self.bytes = response.bytes
        self.sendsStoredBody = rest != nil
    }

    /// Returns the response with the entry that answers the request.
    package func response(from entry: CacheEntry) -> EncodedResponse {
        EncodedResponse(bytes: bytes, rest: sendsStoredBody ? (entry.body, entry) : nil, status, bodySize)
    }
}

extension EncodedResponse {
    fileprivate init(bytes: ByteBuffer, rest: (body: ByteBuffer, entry: CacheEntry)?, _ status: Int, _ bodySize: Int) {
        (self.bytes, self.rest, self.status, self.bodySize) = (bytes, rest, status, bodySize)
    }
}
