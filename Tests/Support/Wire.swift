public import HTTPTypes
public import LarderTestSupport
public import NIOCore
import NIOPosix

/// A connection to a server on this machine that sends the bytes of a test unchanged, and reads the response without
/// correcting it.
public final class Wire {
    /// A response of a server.
    public struct Answer: CacheStatusReadable, Sendable {
        public let status: Int
        public let fields: HTTPFields
        public let body: [UInt8]

        /// The body as text.
        public var text: String { String(decoding: body, as: UTF8.self) }
        public var cacheStatusField: String? { fields.cacheStatusField }
    }

    /// The reason why a response could not be read.
    public typealias Failure = ByteReader.Failure

    private var reader: ByteReader
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let loop: any EventLoop

    private init(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ loop: any EventLoop
    ) {
        self.reader = ByteReader(inbound)
        self.outbound = outbound
        self.loop = loop
    }

    /// Connects, and closes the connection after `body`.
    public static func open<Value: Sendable>(
        to port: Int,
        _ body: (Wire) async throws -> Value
    ) async throws -> Value {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "localhost", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(Wire(inbound, outbound, channel.channel.eventLoop))
        }
    }

    /// Sends one request on a new connection, and returns the response.
    public static func send(
        _ method: String = "GET",
        _ target: String,
        _ fields: [String] = [],
        body: String? = nil,
        to port: Int
    ) async throws -> Answer {
        try await open(to: port) { wire in
            try await wire.send(method, target, fields, body: body)
            return try await wire.answer(hasBody: method != "HEAD")
        }
    }

    /// Writes a request.
    public func send(
        _ method: String = "GET",
        _ target: String,
        _ fields: [String] = [],
        body: String? = nil
    ) async throws {
        var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + fields
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        try await send(bytes: Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")).utf8))
    }

    /// Writes bytes.
    public func send(bytes: [UInt8]) async throws {
        try await send(ByteBuffer(bytes: bytes))
    }

    /// Writes bytes, as fast as the server takes them.
    public func send(_ bytes: ByteBuffer) async throws {
        try await outbound.write(bytes)
        // An event loop that is behind accepts any number of writes before it reports that it is full.
        try await loop.submit {}.get()
    }

    /// Reads a response.
    /// - Parameter hasBody: False if the request was one that is answered without a body, such as HEAD.
    public func answer(hasBody: Bool = true) async throws -> Answer {
        let (status, fields) = try await head()
        return Answer(status: status, fields: fields, body: try await body(after: status, fields, hasBody: hasBody))
    }

    /// Reads the body of a response whose head has been read.
    /// - Parameter hasBody: False if the request was one that is answered without a body, such as HEAD.
    public func body(after status: Int, _ fields: HTTPFields, hasBody: Bool = true) async throws -> [UInt8] {
        guard hasBody, status != 204, status != 304 else { return [] }
        if fields[.transferEncoding] == "chunked" {
            var body: [UInt8] = []
            while let chunk = try await chunk() { body += chunk }
            return body
        }
        guard let length = fields[.contentLength].flatMap({ Int($0) }) else {
            throw Failure.nonsense("a body without a length")
        }
        return try await reader.bytes(length)
    }

    /// Reads the head of a response.
    public func head() async throws -> (status: Int, fields: HTTPFields) {
        let statusLine = try await reader.line()
        let words = statusLine.split(separator: " ")
        guard words.first == "HTTP/1.1", words.count > 1, let status = Int(words[1]) else {
            throw Failure.nonsense(statusLine)
        }
        return (status, try await reader.fields())
    }

    /// Reads the next chunk of a chunked body; nil after the last.
    public func chunk() async throws -> [UInt8]? { try await reader.chunk() }

    /// Reads some bytes as they arrive; nil at the end of the stream.
    public func part() async throws -> ByteBuffer? { try await reader.part() }

    /// Reads the content of a response as it arrives.
    /// - Parameter fields: The fields of its head, which say where it ends.
    public func content(_ fields: HTTPFields, _ body: (ByteBuffer) throws -> Void) async throws {
        try await reader.content(fields, body)
    }
}
