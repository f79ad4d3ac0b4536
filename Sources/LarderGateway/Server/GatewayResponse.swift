import HTTPCaching
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import NIOCore

/// A response to a client, with the holder of its body's memory.
struct GatewayResponse: OriginResponse {
    var response: Response
    /// The stored response that has the body, or the reader of a body that is still being received. Both count their
    /// memory as long as they exist, so they are retained until the client's socket has taken the body.
    private var holder: Holder?
    /// The way in which the cache handled the request; nil if it was not asked.
    private(set) var status: CacheStatus?

    /// The owner of a body's memory.
    private enum Holder {
        case entry(CacheEntry)
        case reader(BodyReader)
    }

    /// Creates a response that does not come from a stored response.
    init(_ response: Response) { self.response = response }

    init(head: HTTPResponse, body: ByteBuffer) { self.init(Response(head: head, body: body)) }

    init(headOnly head: HTTPResponse) { self.init(Response(headOnly: head)) }

    init(head: HTTPResponse, streaming body: BodyReader, length: Int?) {
        self.init(Response(head: head, streaming: body, length: length))
        holder = .reader(body)
    }

    mutating func hold(_ entry: CacheEntry) { holder = .entry(entry) }

    mutating func note(_ status: CacheStatus) { self.status = status }

    /// Returns the holder of the body's memory, added to a table of responses that may have to end early; nil if there
    /// is none.
    /// - Parameter end: Ends the response. It must not retain the returned value.
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
