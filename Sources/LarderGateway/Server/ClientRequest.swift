import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// A request as it was received on a connection.
struct ClientRequest: Sendable {
    let head: HTTPRequest
    let body: RequestBody
    let version: HTTPVersion
    /// The time at which the head was read.
    let receivedAt: NIODeadline
    let connection: ClientConnection
    let presence: ClientPresence
    /// The channel of the request: the connection's own, or that of an HTTP/2 stream.
    let channel: any Channel

    /// A closure that ends the connection or the stream at once. It retains neither the request nor the holder of its
    /// response.
    var end: @Sendable () -> Void {
        { [channel, connection] in
            if channel === connection.channel {
                channel.eventLoop.execute { connection.closeTransport() }
            } else {
                channel.close(promise: nil)
            }
        }
    }
}

/// A request that the gateway refuses before routing it: the response to the client, and the known parts of the
/// request.
struct RequestRefusal: Error, Hashable, Sendable {
    let status: HTTPResponse.Status
    /// The fault, in a sentence for the reader of the response.
    let sentence: String
    /// The method, if one could be read.
    var method: String?
    /// The target, if one could be read.
    var target: String?
    /// The version of HTTP, if one could be read.
    var version: String?

    init(_ status: HTTPResponse.Status, _ sentence: String) {
        self.status = status
        self.sentence = sentence
    }

    /// Creates a refusal with 400.
    init(_ sentence: String) { self.init(.badRequest, sentence) }

    /// Returns the refusal with the method, target and version of a head that was read.
    func with(_ head: HTTPRequest, _ version: HTTPVersion) -> RequestRefusal {
        var named = self
        named.method = head.method.rawValue
        named.target = head.path
        named.version = version.text
        return named
    }
}

/// A part of a client's requests, in the order in which they are received.
enum ClientPart: Sendable {
    /// The head of a request, and the time at which it was read.
    case head(HTTPRequest, HTTPVersion, at: NIODeadline)
    /// Some content.
    case body(ByteBuffer)
    /// The end of a request.
    case end
    /// A request that cannot be read, or is not allowed. Over HTTP/1.1 no part follows it.
    case refused(RequestRefusal, at: NIODeadline)
    /// The content cannot be read. This part takes the place of `end`.
    case broken(RequestRefusal)
}

/// The parts of a connection or a stream, in the order in which they are received.
typealias ClientParts = NIOAsyncChannel<ClientPart, HTTPResponsePart>

/// The content of one request.
struct ClientBody: AsyncSequence, Sendable {
    // The task that answers the request reads its content, and goes on to the next request only when this one is
    // answered. So two tasks never read the parts at the same time.
    private nonisolated(unsafe) let parts: NIOAsyncChannelInboundStream<ClientPart>.AsyncIterator

    init(_ parts: NIOAsyncChannelInboundStream<ClientPart>.AsyncIterator) { self.parts = parts }

    func makeAsyncIterator() -> Iterator { Iterator(parts: parts) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var parts: NIOAsyncChannelInboundStream<ClientPart>.AsyncIterator
        private var isOver = false

        fileprivate init(parts: NIOAsyncChannelInboundStream<ClientPart>.AsyncIterator) { self.parts = parts }

        /// Returns the next part of the content; nil at its end.
        /// - Throws: An error if the content breaks off, so that truncated content is not taken for complete content.
        mutating func next() async throws -> ByteBuffer? {
            guard !isOver else { return nil }
            switch try await parts.next() {
            case .body(let part): return part
            case .end:
                isOver = true
                return nil
            case .broken(let refusal): throw refusal
            case .head, .refused, nil: throw RequestRefusal("The content is incomplete")
            }
        }
    }
}

extension HTTPVersion {
    /// The version as the access log writes it, such as `HTTP/1.1`.
    var text: String { "HTTP/\(major).\(minor)" }
}

extension HTTPRequest {
    /// The size of the head in bytes as HTTP/2 measures it: names and values, and 32 bytes for each (RFC 9113 §6.5.2).
    var headSize: Int {
        var size = (scheme?.utf8.count ?? 0) + (authority?.utf8.count ?? 0) + (path?.utf8.count ?? 0)
        size += method.rawValue.utf8.count + 4 * 32 + ":method:scheme:authority:path".utf8.count
        for field in headerFields { size += field.name.rawName.utf8.count + field.value.utf8.count + 32 }
        return size
    }

    /// Returns the refusal of a head that exceeds a limit; nil if the head does not.
    func excess(over limit: Int) -> RequestRefusal? {
        if path?.utf8.count ?? 0 > limit { return .longTarget(limit) }
        return headSize > limit || headerFields.count > HeadLimit.fields ? .largeHead(limit) : nil
    }
}

extension RequestRefusal {
    /// The refusal of a request whose client sends the rest of it too slowly.
    static let slowRequest = RequestRefusal(.requestTimeout, "The request did not arrive in time")

    /// Returns the refusal of a target that is longer than the limit of a whole head.
    static func longTarget(_ limit: Int) -> RequestRefusal {
        RequestRefusal(.uriTooLong, "The target is longer than the limit of \(limit) bytes")
    }

    /// Returns the refusal of a head that exceeds the limit.
    static func largeHead(_ limit: Int) -> RequestRefusal {
        RequestRefusal(
            .requestHeaderFieldsTooLarge,
            "The header fields exceed the limit of \(limit) bytes or \(HeadLimit.fields) fields"
        )
    }
}

/// The limits of a request's head that are not settings.
enum HeadLimit {
    /// The largest number of fields.
    static let fields = 1_000
}
