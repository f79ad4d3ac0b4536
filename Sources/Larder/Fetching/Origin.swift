public import HTTPTypes
public import NIOCore

/// What the cache asks when it has no answer: a handler of this process, or a server behind a gateway.
public protocol Origin<Response>: Sendable {
    /// The framework's own response.
    associatedtype Response: OriginResponse

    /// Answers a request that the cache made of the client's: a GET without content, ranges and the client's
    /// conditions. It may run after the client has left. Under a policy that asks a server it may have conditions of
    /// the cache's own, or be a HEAD.
    func fetch(_ request: HTTPRequest) async throws -> Response

    /// Answers as ``fetch(_:)`` does. Where `hasFallback`, something kept will be served if this throws, and it is
    /// barely stale: an origin in trouble need not be asked twice for it.
    func fetch(_ request: HTTPRequest, hasFallback: Bool) async throws -> Response

    /// Is told that the client's request waits for the origin from now on, or for another request's fetch, since the
    /// store has no answer to it. By default nothing is done.
    func willWait()

    /// Answers the client's own request as it came, with its content.
    func forward() async throws -> Response

    /// The status that a thrown error stands for, where it stands for one.
    func status(of error: any Error) -> HTTPResponse.Status?

    /// Returns whether a failure of the origin may be due to the request that was sent, such as a field that makes it
    /// close the connection. Another request that waits for the same response is sent then before the failure is shared
    /// with all of them. By default this holds unless the error stands for a 503 or 504.
    func mayBeDueToRequest(_ error: any Error) -> Bool

    /// Returns whether the request that ``forward()`` failed on with this error may have reached the origin, so that
    /// the origin may have acted on it. True by default; false for a server only if nothing was sent to it: there was
    /// no connection.
    func mayHaveReceivedRequest(failedWith error: any Error) -> Bool
}

extension Origin {
    public func willWait() {}

    public func mayBeDueToRequest(_ error: any Error) -> Bool {
        status(of: error).map(\.mayBeFailureDueToRequest) ?? true
    }

    public func mayHaveReceivedRequest(failedWith error: any Error) -> Bool { true }

    public func fetch(_ request: HTTPRequest, hasFallback: Bool) async throws -> Response { try await fetch(request) }
}

/// A response as an origin gives it and a client gets it: what the engine needs to know of the framework's own type.
public protocol OriginResponse: Sendable {
    /// Status and fields.
    var head: HTTPResponse { get set }
    /// The length of the body in bytes, where it is known before the body is.
    var bodyLength: Int? { get }

    /// A response with a whole body.
    init(head: HTTPResponse, body: ByteBuffer)

    /// Keeps the stored response that the body is of for as long as the body is in memory: so long it counts as memory
    /// of bodies on their way, also after its removal from the store. By default nothing is done, and what is being
    /// sent of removed responses is counted nowhere.
    mutating func hold(_ entry: CacheEntry)

    /// A response to HEAD: the fields of the whole response, and no body.
    init(headOnly head: HTTPResponse)

    /// A response whose body is still being read.
    init(head: HTTPResponse, streaming body: BodyReader, length: Int?)

    /// Writes the body to `sink`, and finishes it where the body is complete.
    func pourBody(into sink: some BodySink) async throws
}

extension OriginResponse {
    @inlinable
    public mutating func hold(_ entry: CacheEntry) {}
}

/// Takes the parts of a body.
public protocol BodySink: Sendable {
    /// Takes a part; waits while too much is on its way; throws where nobody takes it any more.
    func write(_ part: ByteBuffer) async throws
    /// The body is complete.
    func finish() async throws
}
