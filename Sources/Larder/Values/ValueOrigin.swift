import HTTPCaching
import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The function that makes a cached value, as an origin: the value is the body of a response with status 200, in JSON.
struct ValueOrigin<Value: Codable & Sendable>: Origin {
    let make: @Sendable () async throws -> ValueResponse<Value>

    func fetch(_ request: HTTPRequest) async throws -> ValueResponse<Value> { try await make() }

    func forward() async throws -> ValueResponse<Value> { try await make() }

    func status(of error: any Error) -> HTTPResponse.Status? { nil }

    /// All callers of `value` ask for the same: none of them causes an error that the others would not get.
    func mayBeDueToRequest(_ error: any Error) -> Bool { false }
}

/// A value that was made, with the lifetime that it has because it is nil or an error; nil for the lifetime of its
/// policy.
struct Made<Value: Sendable>: Sendable {
    let value: Value
    var lifetime: Duration?
    /// True if an error is stored in place of the value.
    var isFailure = false
}

/// A cached value as a response of an origin.
struct ValueResponse<Value: Codable & Sendable>: OriginResponse {
    private enum Content {
        /// The function has just made the value, of which these are the bytes.
        case made(Value, ByteBuffer)
        /// The value is in the store, or was a moment ago.
        case stored(ByteBuffer, CacheEntry?)
        /// The value is still being captured.
        case arriving(BodyReader)
        /// The response has no value.
        case none
    }

    var head: HTTPResponse
    private var content: Content

    /// Creates the response of the function that makes values.
    init(_ made: Made<Value>) throws {
        let bytes = try ValueCoding.encode(made.value)
        self.head = HTTPResponse(status: .ok, headerFields: [.contentType: "application/json"])
        if let lifetime = made.lifetime {
            head.headerFields[.larderCacheControl] = HandlerDirective.only(for: lifetime).fieldValue
        }
        if made.isFailure { head.headerFields[.larderFailure] = "1" }
        self.content = .made(made.value, bytes)
    }

    init(head: HTTPResponse, body: ByteBuffer) {
        self.head = head
        self.content = .stored(body, nil)
    }

    init(headOnly head: HTTPResponse) {
        self.head = head
        self.content = .none
    }

    init(head: HTTPResponse, streaming body: BodyReader, length: Int?) {
        self.head = head
        self.content = .arriving(body)
    }

    var bodyLength: Int? {
        switch content {
        case .made(_, let bytes), .stored(let bytes, _): bytes.readableBytes
        case .arriving: nil
        case .none: 0
        }
    }

    /// The stored value; nil if it is not stored.
    var entry: CacheEntry? {
        switch content {
        case .stored(_, let entry): entry
        case .arriving(let reader): reader.entry
        case .made, .none: nil
        }
    }

    mutating func hold(_ entry: CacheEntry) {
        if case .stored(let bytes, _) = content { content = .stored(bytes, entry) }
    }

    func pourBody(into sink: some BodySink) async throws {
        if case .made(_, let bytes) = content { try await sink.write(bytes) }
        try await sink.finish()
    }

    /// Returns the value.
    /// - Throws: A `DecodingError` if what is stored is not such a value.
    func value() async throws -> Value {
        switch content {
        case .made(let value, _): return value
        case .stored(_, let entry?): return try entry.decoded(as: Value.self)
        case .stored(let bytes, nil): return try decode(bytes)
        case .arriving(let reader):
            var bytes = ByteBuffer()
            while let part = try await reader.next() { bytes.writeImmutableBuffer(part) }
            return try decode(bytes)
        case .none: return try decode(ByteBuffer())
        }
    }

    private func decode(_ bytes: ByteBuffer) throws -> Value {
        try ValueCoding.decode(bytes, as: Value.self, isFailure: head.headerFields.contains(.larderFailure))
    }
}

/// The bytes of values: JSON, as `Codable` makes it.
enum ValueCoding {
    static func encode(_ value: some Encodable) throws -> ByteBuffer {
        ByteBuffer(bytes: try JSONEncoder().encode(value))
    }

    /// Returns true if a value is nil.
    static func isNull(_ value: some Encodable) throws -> Bool {
        try encode(value) == ByteBuffer(string: "null")
    }

    /// Returns a value, or the error that is stored in its place, if the type can be either.
    /// - Throws: A `DecodingError` if the bytes are no such value.
    static func decode<Value: Decodable>(
        _ bytes: ByteBuffer,
        as type: Value.Type,
        isFailure: Bool
    ) throws -> Value {
        guard !isFailure || type is any FailureHolding.Type else {
            let context = DecodingError.Context(codingPath: [], debugDescription: "An error is stored, and no value")
            throw DecodingError.valueNotFound(type, context)
        }
        let decoder = JSONDecoder()
        decoder.userInfo[.isFailure] = isFailure
        return try decoder.decode(type, from: Data(bytes.readableBytesView))
    }
}

extension CodingUserInfoKey {
    /// True if the decoded bytes are an error.
    fileprivate static let isFailure: CodingUserInfoKey = {
        guard let key = CodingUserInfoKey(rawValue: "larder.isFailure") else {
            preconditionFailure("A key can have any text")
        }
        return key
    }()
}

/// A type that holds a value, or an error that is stored in its place.
private protocol FailureHolding {}

/// A value, or an error that is stored in its place. Each is encoded as it is, so that values can also be read as what
/// they are.
enum ValueOrFailure<Value: Codable & Sendable, Failure: Error & Codable>: Codable, Sendable, FailureHolding {
    case value(Value)
    case failure(Failure)

    init(from decoder: any Decoder) throws {
        let isFailure = decoder.userInfo[.isFailure] as? Bool == true
        self = isFailure ? .failure(try Failure(from: decoder)) : .value(try Value(from: decoder))
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .value(let value): try value.encode(to: encoder)
        case .failure(let failure): try failure.encode(to: encoder)
        }
    }
}

// MARK: - Values in memory

/// The value of an entry, decoded once for as long as the entry is in the memory of this process.
final class DecodedValue: Sendable {
    private final class Holder<Value: Sendable>: Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    private let holder = NIOLockedValueBox<(any AnyObject & Sendable)?>(nil)

    /// Returns the value of this type, decoded from `bytes` unless it has been decoded before.
    func value<Value: Decodable & Sendable>(
        of bytes: ByteBuffer,
        as type: Value.Type,
        isFailure: Bool
    ) throws -> Value {
        if let known = holder.withLockedValue({ $0 }) as? Holder<Value> { return known.value }
        let value = try ValueCoding.decode(bytes, as: type, isFailure: isFailure)
        holder.withLockedValue { $0 = Holder(value) }
        return value
    }
}
