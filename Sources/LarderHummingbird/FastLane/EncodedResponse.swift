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
    /// The value of `Age` in seconds; nil if the head does not have the field.
    package let age: Int?

    /// The size of the largest body that is copied behind its head, in bytes. Larger ones are shared.
    private static let copiedBody = 4_096

    /// Encodes a response; returns nil if its head does not say where it ends.
    /// - Parameter head: The head with the fields that the server adds.
    package init?(_ served: ServedResponse, head: HTTPResponse) {
        guard var bytes = HTTP1Encoding.bytes(of: HTTPResponseHead(head)) else { return nil }
        self.status = head.status.code
        self.bodySize = served.body?.readableBytes ?? 0
        self.age = served.age
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
    /// The request and its route for the gateway's log; nil in applications.
    package let label: Label?
    /// The second since the epoch that an application's server has written into `Date`; nil in the gateway, which sends
    /// the `Date` of the entry.
    package let dateSecond: Int64?
    package let status: Int
    /// The size of the body in bytes.
    package let bodySize: Int
    private let bytes: ByteBuffer
    private let age: Int?
    /// True if the body of the stored response follows.
    private let sendsStoredBody: Bool

    /// The properties of equal requests that a log names.
    package struct Label: Sendable {
        package let target: String
        package let host: String?
        /// The number of the route in the table of routes.
        package let route: Int

        package init(target: String, host: String?, route: Int) {
            (self.target, self.host, self.route) = (target, host, route)
        }
    }

    /// The largest size of the bytes that are remembered: 8 KiB.
    private static var sizeLimit: Int { 8 << 10 }

    /// Creates the form of a response that was sent; nil if it is too large, or if a part of the stored body follows
    /// its head.
    package init?(_ hit: RepeatableHit, _ response: EncodedResponse, label: Label? = nil, dateSecond: Int64? = nil) {
        let rest = response.rest
        guard rest == nil || rest?.body.readableBytes == rest?.entry.body.readableBytes,
            response.bytes.readableBytes <= Self.sizeLimit
        else { return nil }
        self.hit = hit
        self.label = label
        self.dateSecond = dateSecond
        self.status = response.status
        self.bodySize = response.bodySize
        self.age = response.age
        self.bytes = response.bytes
        self.sendsStoredBody = rest != nil
    }

    /// Returns the response with the entry that answers the request.
    package func response(from entry: CacheEntry) -> EncodedResponse {
        EncodedResponse(bytes: bytes, rest: sendsStoredBody ? (entry.body, entry) : nil, status, bodySize, age)
    }
}

extension EncodedResponse {
    fileprivate init(
        bytes: ByteBuffer,
        rest: (body: ByteBuffer, entry: CacheEntry)?,
        _ status: Int,
        _ bodySize: Int,
        _ age: Int?
    ) {
        (self.bytes, self.rest, self.status, self.bodySize, self.age) = (bytes, rest, status, bodySize, age)
    }
}
