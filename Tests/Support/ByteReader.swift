public import HTTPTypes
public import NIOCore

/// A reader for the bytes of a connection: lines, counted bytes, and the content of HTTP/1.1 messages.
public struct ByteReader {
    /// The reason why something could not be read.
    public enum Failure: Error, Hashable {
        /// The other side closed the connection.
        case ended
        /// The bytes are not valid HTTP/1.1.
        case nonsense(String)
    }

    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var received = ByteBuffer()

    /// Creates a reader of an inbound stream.
    public init(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) {
        self.inbound = inbound.makeAsyncIterator()
    }

    /// Reads a line, and returns it without its CRLF.
    public mutating func line() async throws -> String {
        var line: [UInt8] = []
        while !line.suffix(2).elementsEqual([13, 10]) { line += try await bytes(1) }
        return String(decoding: line.dropLast(2), as: UTF8.self)
    }

    /// Reads `count` bytes.
    public mutating func bytes(_ count: Int) async throws -> [UInt8] {
        while received.readableBytes < count {
            guard let part = try await inbound.next() else { throw Failure.ended }
            received.discardReadBytes()
            received.writeImmutableBuffer(part)
        }
        return received.readBytes(length: count) ?? []
    }

    /// Reads some bytes as they arrive; nil at the end of the stream.
    public mutating func part() async throws -> ByteBuffer? {
        guard received.readableBytes == 0 else {
            defer { received.clear() }
            return received
        }
        return try await inbound.next()
    }

    /// Reads fields up to the empty line after them.
    public mutating func fields() async throws -> HTTPFields {
        var fields = HTTPFields()
        while case let line = try await line(), !line.isEmpty { fields.append(try HTTPField(line: line)) }
        return fields
    }

    /// Reads the next chunk of chunked content; nil after the last.
    public mutating func chunk() async throws -> [UInt8]? {
        let size = try await line()
        guard let count = Int(size, radix: 16) else { throw Failure.nonsense(size) }
        let chunk = try await bytes(count)
        guard try await line().isEmpty else { throw Failure.nonsense("a chunk longer than it says") }
        return count == 0 ? nil : chunk
    }

    /// Reads the content of a message as it arrives.
    /// - Parameter fields: The fields of its head, which say where it ends.
    public mutating func content(_ fields: HTTPFields, _ body: (ByteBuffer) throws -> Void) async throws {
        if let length = fields[.contentLength].flatMap({ Int($0) }) { return try await pour(length, body) }
        while let size = Int(try await line(), radix: 16) {
            try await pour(size, body)
            guard try await line().isEmpty else { throw Failure.nonsense("a chunk longer than it says") }
            if size == 0 { return }
        }
        throw Failure.nonsense("a chunk without a size")
    }

    private mutating func pour(_ count: Int, _ body: (ByteBuffer) throws -> Void) async throws {
        var rest = count
        while rest > 0 {
            guard var part = try await part() else { throw Failure.ended }
            guard let slice = part.readSlice(length: min(rest, part.readableBytes)) else { return }
            received = part
            rest -= slice.readableBytes
            try body(slice)
        }
    }
}

extension HTTPField {
    /// Creates a field from a line of a head.
    public init(line: String) throws {
        guard let colon = line.firstIndex(of: ":"), let name = HTTPField.Name(String(line[..<colon])) else {
            throw ByteReader.Failure.nonsense(line)
        }
        self.init(name: name, value: String(line[line.index(after: colon)...].drop { $0 == " " }))
    }
}
