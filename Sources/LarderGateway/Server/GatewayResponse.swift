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
    private var holder: Holder?

    private enum Holder {
        case entry(CacheEntry)
        case reader(BodyReader)
    }

    /// Creates a response that no stored response is behind.
    init(_ response: Response) { self.response = response }

    init(head: HTTPResponse, body: ByteBuffer) { self.init(Response(head: head, body: body)) }

    init(headOnly head: HTTPResponse) { self.init(Response(headOnly: head)) }

    init(head: HTTPResponse, streaming body: BodyReader, length: Int?) {
        self.init(Response(head: head, streaming: body, length: length))
        holder = .reader(body)
    }

    mutating func hold(_ entry: CacheEntry) { holder = .entry(entry) }

    /// Returns what keeps the memory of the body, in a table of those that may have to give way; nil if nothing does.
    /// - Parameter end: Ends the response. It must not retain what is returned.
    func holder(in readers: SlowReaders, end: @escaping @Sendable () -> Void) -> (any Sendable)? {
        switch holder {
        case .entry(let entry):
            guard entry.body.readableBytes >= SlowReaders.leastBody else { return entry }
            return readers.add({ entry }, end: end)
        case .reader(let reader): return readers.add({ reader.entry }, end: end)
        case nil: return nil
        }
    }

    var head: HTTPResponse {
        get { response.head }
        set { response.head = newValue }
    }

    var bodyLength: Int? { response.bodyLength }

    func pourBody(into sink: some BodySink) async throws { try await response.pourBody(into: sink) }
}
