public import HTTPTypes
public import Larder
public import LarderTestSupport
import NIOConcurrencyHelpers
public import NIOCore
import Synchronization

/// A response of a test's origin, or a response that the cache derived from one.
public struct TestResponse: OriginResponse {
    /// A body in the form in which the origin or the cache gives it.
    public enum Body: Sendable {
        /// There is no body, as for a HEAD or a 304.
        case none
        /// The body is given as a whole.
        case whole(ByteBuffer)
        /// The body is written part by part by an origin, which declares the length.
        case written(length: Int?, @Sendable (any BodySink) async throws -> Void)
        /// The body is read part by part from the cache.
        case read(BodyReader, length: Int?)
    }

    public var head: HTTPResponse
    public var body: Body

    /// Creates a response with a whole body.
    public init(_ text: String, status: HTTPResponse.Status = .ok, _ fields: HTTPFields = [:]) {
        self.head = HTTPResponse(status: status, headerFields: fields)
        self.body = .whole(ByteBuffer(string: text))
    }

    /// Creates a response whose body is written part by part.
    public init(
        length: Int? = nil,
        _ fields: HTTPFields = [:],
        writing write: @escaping @Sendable (any BodySink) async throws -> Void
    ) {
        self.head = HTTPResponse(status: .ok, headerFields: fields)
        self.body = .written(length: length, write)
    }

    /// Creates a 304, which has no body.
    public static func notModified(_ fields: HTTPFields = [:]) -> TestResponse {
        TestResponse(headOnly: HTTPResponse(status: .notModified, headerFields: fields))
    }

    public init(head: HTTPResponse, body: ByteBuffer) {
        self.head = head
        self.body = .whole(body)
    }

    public init(headOnly head: HTTPResponse) {
        self.head = head
        self.body = .none
    }

    public init(head: HTTPResponse, streaming body: BodyReader, length: Int?) {
        self.head = head
        self.body = .read(body, length: length)
    }

    public var bodyLength: Int? {
        switch body {
        case .none: 0
        case .whole(let body): body.readableBytes
        case .written(let length, _), .read(_, let length): length
        }
    }

    public func pourBody(into sink: some BodySink) async throws {
        switch body {
        case .none: try await sink.finish()
        case .whole(let body):
            try await sink.write(body)
            try await sink.finish()
        case .written(_, let write): try await write(sink)
        case .read(let reader, _):
            while let part = try await reader.next() { try await sink.write(part) }
            try await sink.finish()
        }
    }

    /// The whole body as text.
    public var text: String {
        get async throws {
            let text = TextSink()
            try await pourBody(into: text)
            return text.text
        }
    }
}

extension TestResponse: CacheStatusReadable {
    public var cacheStatusField: String? { head.cacheStatusField }
}

extension CacheStatusReadable {
    /// The value of `Cache-Status`; empty if the response has none.
    public var cacheStatusText: String { cacheStatusField ?? "" }
}

/// A sink that collects the text of a body.
private final class TextSink: BodySink {
    private let collected = NIOLockedValueBox("")

    var text: String { collected.withLockedValue { $0 } }

    func write(_ part: ByteBuffer) async throws {
        collected.withLockedValue { $0 += String(buffer: part) }
    }

    func finish() async throws {}
}

/// An origin that answers with a test's handler, and that counts requests.
public final class TestOrigin: Origin {
    public typealias Handler = @Sendable (HTTPRequest) async throws -> TestResponse

    private let handler: Handler
    private let fetched = NIOLockedValueBox<[HTTPRequest]>([])
    private let forwarded = Atomic<Int>(0)

    /// Creates an origin that answers every request with `handler`.
    public init(_ handler: @escaping Handler) { self.handler = handler }

    /// The requests that the cache fetched.
    public var fetches: [HTTPRequest] { fetched.withLockedValue { $0 } }

    /// The number of client requests that bypassed the cache.
    public var forwards: Int { forwarded.load(ordering: .relaxed) }

    public func fetch(_ request: HTTPRequest) async throws -> TestResponse {
        fetched.withLockedValue { $0.append(request) }
        return try await handler(request)
    }

    public func forward() async throws -> TestResponse {
        forwarded.wrappingAdd(1, ordering: .relaxed)
        return try await handler(HTTPRequest(method: .get, scheme: nil, authority: nil, path: nil))
    }

    public func status(of error: any Error) -> HTTPResponse.Status? { (error as? TestFailure)?.status }

    public func mayHaveReceivedRequest(failedWith error: any Error) -> Bool { (error as? TestFailure)?.wasSent ?? true }
}

/// An error that an origin throws.
public struct TestFailure: Error, Equatable {
    public let name: String
    public let status: HTTPResponse.Status?
    /// True if the request had reached the origin when it failed.
    public let wasSent: Bool

    /// Creates an error that stands for a status, or for none.
    public init(_ name: String, status: HTTPResponse.Status? = nil, wasSent: Bool = true) {
        self.name = name
        self.status = status
        self.wasSent = wasSent
    }
}

/// An observer that records the events of a cache.
public final class EventLog: CacheObserver {
    private let log = NIOLockedValueBox<[CacheEvent]>([])

    /// Creates an empty log.
    public init() {}

    /// All events so far.
    public var events: [CacheEvent] { log.withLockedValue { $0 } }

    public func observe(_ event: CacheEvent) { log.withLockedValue { $0.append(event) } }
}

extension HTTPFields {
    /// Returns these fields, with `others` added; a field of the same name is replaced.
    public func adding(_ others: HTTPFields) -> HTTPFields {
        var fields = self
        for other in others { fields[other.name] = other.value }
        return fields
    }
}
