public import HTTPCaching
public import HTTPTypes
public import NIOCore

/// The source of responses that the cache does not have: a handler of this process, or a server behind a gateway.
public protocol Origin<Response>: Sendable {
    /// The framework's response type.
    associatedtype Response: OriginResponse

    /// Answers a request that the cache made from the client's: a GET without content, ranges and the client's
    /// conditions. It may run after the client has left. Under a policy for a server, the request may have conditions
    /// that the cache added, or be a HEAD.
    func fetch(_ request: HTTPRequest) async throws -> Response

    /// Answers as ``fetch(_:)`` does. If `hasFallback` is true, a stored response that is barely stale will be served
    /// if this throws: an origin in trouble need not be asked twice for it.
    func fetch(_ request: HTTPRequest, hasFallback: Bool) async throws -> Response

    /// Notes that the client's request waits for the origin from now on, or for another request's fetch, since the
    /// store cannot answer it. By default nothing is done.
    func willWait()

    /// Answers the client's request as it came, with its content.
    func forward() async throws -> Response

    /// Returns the status that a thrown error stands for; nil if it stands for none.
    func status(of error: any Error) -> HTTPResponse.Status?

    /// Returns true if a failure of the origin may be due to the request that was sent, such as a field that makes it
    /// close the connection. Before such a failure is shared with all requests that wait for the same response, another
    /// one of them is sent. By default this is true unless the error stands for a status that is not a server error, or
    /// for 503 or 504.
    func mayBeDueToRequest(_ error: any Error) -> Bool

    /// Returns true if the request with which ``forward()`` failed with this error may have reached the origin, so that
    /// the origin may have acted on it. True by default; false for a server only if nothing was sent to it, since there
    /// was no connection.
    func mayHaveReceivedRequest(failedWith error: any Error) -> Bool
}

extension Origin {
    /// Does nothing.
    public func willWait() {}

    /// Returns true unless the error stands for a status that is not a server error, or for 503 or 504.
    public func mayBeDueToRequest(_ error: any Error) -> Bool {
        status(of: error).map(\.mayBeFailureDueToRequest) ?? true
    }

    /// Returns true.
    public func mayHaveReceivedRequest(failedWith error: any Error) -> Bool { true }

    /// Answers as `fetch(_:)` does.
    public func fetch(_ request: HTTPRequest, hasFallback: Bool) async throws -> Response { try await fetch(request) }
}

/// A response as an origin returns it and a client gets it: the properties of the framework's response type that the
/// engine needs.
public protocol OriginResponse: Sendable {
    /// The status and the fields.
    var head: HTTPResponse { get set }
    /// The length of the body in bytes, if it is known before the body is.
    var bodyLength: Int? { get }

    /// Creates a response with a whole body.
    init(head: HTTPResponse, body: ByteBuffer)

    /// Retains the stored response that the body belongs to for as long as the body is in memory: for that time it
    /// counts as memory of bodies in flight, even after its removal from the store. By default nothing is done, and
    /// bodies of removed responses that are being sent are not counted.
    mutating func hold(_ entry: CacheEntry)

    /// Receives how the cache handled the request, which the response says in `Cache-Status` as well. By default
    /// nothing is done.
    mutating func note(_ status: CacheStatus)

    /// Creates a response to HEAD: the fields of the whole response, without a body.
    init(headOnly head: HTTPResponse)

    /// Creates a response whose body is still being read.
    init(head: HTTPResponse, streaming body: BodyReader, length: Int?)

    /// Writes the body to `sink`, and finishes the sink if the body is complete.
    func pourBody(into sink: some BodySink) async throws
}

extension OriginResponse {
    /// Does nothing.
    @inlinable
    public mutating func hold(_ entry: CacheEntry) {}

    /// Does nothing.
    @inlinable
    public mutating func note(_ status: CacheStatus) {}
}

/// A receiver of the parts of a body.
public protocol BodySink: Sendable {
    /// Takes a part; waits while too much is on its way; throws if the body is not wanted any more.
    func write(_ part: ByteBuffer) async throws
    /// Notes that the body is complete.
    func finish() async throws
}
