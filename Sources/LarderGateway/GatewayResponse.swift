import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import NIOCore

/// A response to a client, with what keeps the memory of its body.
struct GatewayResponse: OriginResponse {
    var response: Response
    /// The stored response that the body is of, or the reader of a body that is still coming in. They count the memory
    /// for as long as they exist, so they are kept until the client's socket has taken the body.
    private(set) var holder: (any Sendable)?

    /// Creates a response that no stored response is behind.
    init(_ response: Response) { self.response = response }

    init(head: HTTPResponse, body: ByteBuffer) { self.init(Response(head: head, body: body)) }

    init(headOnly head: HTTPResponse) { self.init(Response(headOnly: head)) }

    init(head: HTTPResponse, streaming body: BodyReader, length: Int?) {
        self.init(Response(head: head, streaming: body, length: length))
        holder = body
    }

    mutating func hold(_ entry: CacheEntry) { holder = entry }

    var head: HTTPResponse {
        get { response.head }
        set { response.head = newValue }
    }

    var bodyLength: Int? { response.bodyLength }

    func pourBody(into sink: some BodySink) async throws { try await response.pourBody(into: sink) }
}
