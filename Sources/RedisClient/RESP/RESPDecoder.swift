package import NIOCore

/// A whole message of the server with the bytes it took on the wire, attributes in front of it included.
package struct RESPMessage: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case reply(RESPValue)
        case push(RedisPush)
    }

    package let content: Content
    package let size: Int
}

/// A decoder that turns the bytes of a connection into messages, however the bytes are split.
///
/// The decoder stores its position: incomplete aggregates are on an explicit stack, and bytes that were read once are
/// never read again. A reply that arrives byte by byte costs as much as in one piece. (Redis' own client library,
/// hiredis, reads the same way: `deps/hiredis/read.c`.)
///
/// Counts and lengths that the server announces are compared with the limits before anything is allocated for them, and
/// memory grows with the data that has arrived, beside room for 32 elements of each open aggregate. After an error the
/// decoder must not be used again.
package struct RESPDecoder: Sendable {
    private let limits: RESPLimits
    /// The aggregates that are not complete yet, the outermost first.
    private var stack: [Aggregate] = []
    /// The kind and length of the bulk string whose header has been read, and whose bytes are awaited.
    private var awaited: (kind: RESPLine.Bulk, length: Int)?
    /// The number of bytes of an unfinished line that have been searched for its end.
    private var searched = 0
    /// The bytes that the current message has taken so far.
    private var bytes = 0
    /// The elements that the aggregates of the current message have announced so far.
    private var elements = 0

    /// The largest number of elements for which memory is allocated before they have arrived.
    private static let reservedElements = 32

    private struct Aggregate {
        let kind: RESPLine.Aggregate
        var missing: Int
        var values: [RESPValue] = []
    }

    package init(limits: RESPLimits) {
        precondition(limits.replyBytes < 1 << 30, "A reply must fit into a ByteBuffer, with room for it to grow.")
        self.limits = limits
    }

    /// Removes the next whole message from the front of `buffer` and returns it; if it is incomplete, removes the parts
    /// that can be read and returns nil.
    package mutating func next(from buffer: inout ByteBuffer) throws(RESPViolation) -> RESPMessage? {
        while let item = try readItem(from: &buffer) {
            guard let content = try place(item) else { continue }
            defer { (bytes, elements) = (0, 0) }
            return RESPMessage(content: content, size: bytes)
        }
        return nil
    }
}

// MARK: Reading
extension RESPDecoder {
    /// A part of a message that can be read at once: a value, or the header of an aggregate.
    private enum Item {
        case value(RESPValue)
        case opening(RESPLine.Aggregate, count: Int)
    }

    private mutating func readItem(from buffer: inout ByteBuffer) throws(RESPViolation) -> Item? {
        if awaited == nil {
            guard let line = try readLine(from: &buffer) else { return nil }
            switch try RESPLine(parsing: line) {
            case .value(let value): return .value(value)
            case .aggregate(let kind, let count): return .opening(kind, count: count)
            case .bulk(let kind, let length):
                guard length <= limits.bulkLength else { throw .bulkTooLong }
                try take(length, and: 2)
                awaited = (kind, length)
            }
        }
        return try readBulk(from: &buffer).map { .value($0) }
    }

    private mutating func readLine(from buffer: inout ByteBuffer) throws(RESPViolation) -> ByteBuffer? {
        let length = Self.lineEnd(in: buffer, from: searched)
        searched = length
        guard length <= limits.lineLength else { throw .lineTooLong }
        guard let ending = buffer.getInteger(at: buffer.readerIndex + length, as: UInt8.self) else { return nil }
        guard ending == .carriageReturn else { throw .malformed(.ending) }
        guard let next = buffer.getInteger(at: buffer.readerIndex + length + 1, as: UInt8.self) else { return nil }
        guard next == .lineFeed else { throw .malformed(.ending) }
        searched = 0
        try take(length, and: 2)
        let line = buffer.readSlice(length: length)
        buffer.moveReaderIndex(forwardBy: 2)
        return line
    }

    /// Returns the place of the first CR or LF from `start` on; if there is none, the number of bytes.
    private static func lineEnd(in buffer: ByteBuffer, from start: Int) -> Int {
        let bytes = buffer.readableBytesUInt8Span
        var place = start
        while place < bytes.count, bytes[place] != .carriageReturn, bytes[place] != .lineFeed { place += 1 }
        return place
    }

    private mutating func readBulk(from buffer: inout ByteBuffer) throws(RESPViolation) -> RESPValue? {
        guard let (kind, length) = awaited, buffer.readableBytes - 2 >= length,
            var bulk = buffer.readSlice(length: length),
            let ending = buffer.readInteger(as: UInt16.self)
        else { return nil }
        awaited = nil
        guard ending == 0x0d0a else { throw .unterminatedBulk }
        switch kind {
        case .string: return .bulk(bulk)
        case .error: return .error(RedisReplyError(String(buffer: bulk)))
        case .verbatim:
            // The content is three letters that name the format, a colon, and the text.
            guard let prefix = bulk.readInteger(as: UInt32.self), UInt8(truncatingIfNeeded: prefix) == UInt8(ascii: ":")
            else { throw .malformed(.verbatim) }
            return .bulk(bulk)
        }
    }

    /// Counts bytes of the current message. Both numbers are within their own limits already.
    private mutating func take(_ length: Int, and ending: Int) throws(RESPViolation) {
        let limit = stack.first?.kind == .push ? limits.pushBytes : limits.replyBytes
        let (sum, overflow) = bytes.addingReportingOverflow(length)
        let (total, carry) = sum.addingReportingOverflow(ending)
        guard !overflow, !carry, total <= limit else { throw .messageTooLarge }
        bytes = total
    }
}

// MARK: Building
extension RESPDecoder {
    /// Adds an item to the innermost aggregate, and returns the message that it completes.
    private mutating func place(_ item: Item) throws(RESPViolation) -> RESPMessage.Content? {
        switch item {
        case .value(let value):
            guard !stack.isEmpty else { return .reply(value) }
            add(value)
        case .opening(let kind, let count):
            try open(kind, count: count)
        }
        while let innermost = stack.last, innermost.missing == 0 {
            stack.removeLast()
            let value: RESPValue
            switch innermost.kind {
            case .array: value = .array(innermost.values)
            case .set: value = .set(innermost.values)
            case .map: value = .map(Self.pairs(innermost.values))
            case .push: return .push(try Self.push(innermost.values))
            // The value that an attribute describes follows it, and still has to be read.
            case .attribute: continue
            }
            guard !stack.isEmpty else { return .reply(value) }
            add(value)
        }
        return nil
    }

    private mutating func open(_ kind: RESPLine.Aggregate, count: Int) throws(RESPViolation) {
        let isPaired = kind == .map || kind == .attribute
        let (number, overflow) = count.multipliedReportingOverflow(by: isPaired ? 2 : 1)
        guard !overflow, number <= limits.elements - elements else { throw .tooManyElements }
        guard stack.count < limits.depth else { throw .tooDeep }
        guard kind != .push || stack.isEmpty else { throw .nestedPush }
        elements += number
        stack.append(Aggregate(kind: kind, missing: number))
        stack[stack.count - 1].values.reserveCapacity(min(number, Self.reservedElements))
    }

    private mutating func add(_ value: RESPValue) {
        let innermost = stack.count - 1
        stack[innermost].values.append(value)
        stack[innermost].missing -= 1
    }

    private static func pairs(_ values: [RESPValue]) -> [RESPValue.Pair] {
        stride(from: 0, to: values.count, by: 2).map { RESPValue.Pair(values[$0], values[$0 + 1]) }
    }

    private static func push(_ values: [RESPValue]) throws(RESPViolation) -> RedisPush {
        switch values.first {
        case .status(let kind): RedisPush(kind: kind, values: Array(values.dropFirst()))
        case .bulk(let kind): RedisPush(kind: String(buffer: kind), values: Array(values.dropFirst()))
        default: throw .namelessPush
        }
    }
}

extension UInt8 {
    fileprivate static let carriageReturn = UInt8(ascii: "\r")
    fileprivate static let lineFeed = UInt8(ascii: "\n")
}
