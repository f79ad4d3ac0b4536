public import HTTPTypes
public import NIOCore
import NIOPosix

/// A connection to a server on this machine that carries what a test writes, byte by byte, and reads what comes back
/// without mending it.
public final class Wire {
    /// What a server answered.
    public struct Answer: Sendable {
        public let status: Int
        public let fields: HTTPFields
        public let body: [UInt8]

        /// The body as text.
        public var text: String { String(decoding: body, as: UTF8.self) }
        /// The value of `Cache-Status`.
        public var cacheStatus: String { fields[HTTPField.Name("Cache-Status")!] ?? "" }
        /// Whether the answer came from the cache.
        public var isHit: Bool { cacheStatus.contains("; hit") }
    }

    /// Why an answer could not be read.
    public enum Failure: Error, Hashable {
        /// The server closed the connection before the end of an answer.
        case ended
        /// What came is no HTTP/1.1.
        case nonsense(String)
    }

    private typealias Inbound = NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator

    private var inbound: Inbound
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let loop: any EventLoop
    private var received = ByteBuffer()

    private init(
        _ inbound: Inbound,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ loop: any EventLoop
    ) {
        self.inbound = inbound
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
            try await body(Wire(inbound.makeAsyncIterator(), outbound, channel.channel.eventLoop))
        }
    }

    /// The answer to one request on a connection of its own.
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

    /// Writes bytes, as fast as they are taken. A loop that is behind does not say in time that the connection is full:
    /// this waits for it to come to them.
    public func send(_ bytes: ByteBuffer) async throws {
        try await outbound.write(bytes)
        try await loop.submit {}.get()
    }

    /// Reads an answer.
    /// - Parameter hasBody: whether the request was none that is answered by a head alone.
    public func answer(hasBody: Bool = true) async throws -> Answer {
        let (status, fields) = try await head()
        return Answer(status: status, fields: fields, body: try await body(after: status, fields, hasBody: hasBody))
    }

    /// Reads the body of an answer whose head has been read.
    /// - Parameter hasBody: whether the request was none that is answered by a head alone.
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
        return try await bytes(length)
    }

    /// Reads the head of an answer.
    public func head() async throws -> (status: Int, fields: HTTPFields) {
        let statusLine = try await line()
        let words = statusLine.split(separator: " ")
        guard words.first == "HTTP/1.1", words.count > 1, let status = Int(words[1]) else {
            throw Failure.nonsense(statusLine)
        }
        var fields = HTTPFields()
        while case let line = try await line(), !line.isEmpty {
            guard let colon = line.firstIndex(of: ":"), let name = HTTPField.Name(String(line[..<colon])) else {
                throw Failure.nonsense(line)
            }
            fields.append(HTTPField(name: name, value: String(line[line.index(after: colon)...])))
        }
        return (status, fields)
    }

    /// Reads the next chunk of a chunked body; nil after the last.
    public func chunk() async throws -> [UInt8]? {
        let size = try await line()
        guard let count = Int(size, radix: 16) else { throw Failure.nonsense(size) }
        let chunk = try await bytes(count)
        guard try await line().isEmpty else { throw Failure.nonsense("a chunk longer than it says") }
        return count == 0 ? nil : chunk
    }

    /// Reads to the end of a line, and takes that off.
    private func line() async throws -> String {
        var line: [UInt8] = []
        while !line.suffix(2).elementsEqual([13, 10]) { line += try await bytes(1) }
        return String(decoding: line.dropLast(2), as: UTF8.self)
    }

    /// Reads some bytes as they come; nil where there will be none.
    public func part() async throws -> ByteBuffer? {
        guard received.readableBytes == 0 else {
            defer { received.clear() }
            return received
        }
        return try await inbound.next()
    }

    /// Reads the content of an answer as it comes.
    /// - Parameter fields: those of its head, which say where it ends.
    public func content(_ fields: HTTPFields, _ body: (ByteBuffer) throws -> Void) async throws {
        guard let length = fields[.contentLength].flatMap({ Int($0) }) else {
            while let size = Int(try await line(), radix: 16) {
                try await pour(size, body)
                guard try await line().isEmpty else { throw Failure.nonsense("a chunk longer than it says") }
                if size == 0 { return }
            }
            throw Failure.nonsense("a chunk without a size")
        }
        try await pour(length, body)
    }

    private func pour(_ count: Int, _ body: (ByteBuffer) throws -> Void) async throws {
        var rest = count
        while rest > 0 {
            guard var part = try await part() else { throw Failure.ended }
            guard let slice = part.readSlice(length: min(rest, part.readableBytes)) else { return }
            received = part
            rest -= slice.readableBytes
            try body(slice)
        }
    }

    private func bytes(_ count: Int) async throws -> [UInt8] {
        while received.readableBytes < count {
            guard let part = try await inbound.next() else { throw Failure.ended }
            received.discardReadBytes()
            received.writeImmutableBuffer(part)
        }
        return received.readBytes(length: count) ?? []
    }
}
