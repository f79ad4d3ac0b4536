package import NIOCore

/// Conversions of replies to Swift types. An error of the server, and a value of another type, are thrown.
extension RESPValue {
    /// Returns a string, or nil for null.
    package func bytes() throws(RedisError) -> ByteBuffer? {
        switch self {
        case .bulk(let bytes): bytes
        case .null: nil
        default: throw unexpected("a string or null")
        }
    }

    /// Returns a string as text; bytes that are not UTF-8 are replaced.
    package func text() throws(RedisError) -> String {
        switch self {
        case .bulk(let bytes): String(buffer: bytes)
        case .status(let text): text
        default: throw unexpected("a text")
        }
    }

    package func integer() throws(RedisError) -> Int64 {
        guard case .integer(let number) = self else { throw unexpected("an integer") }
        return number
    }

    package func elements() throws(RedisError) -> [RESPValue] {
        guard case .array(let values) = self else { throw unexpected("an array") }
        return values
    }

    package func pairs() throws(RedisError) -> [Pair] {
        guard case .map(let pairs) = self else { throw unexpected("a map") }
        return pairs
    }

    /// Checks that the reply is `OK`.
    package func ok() throws(RedisError) {
        guard case .status("OK") = self else { throw unexpected("OK") }
    }

    /// Returns the error to throw if this value has an unexpected type. It does not contain the value, which may be
    /// private.
    private func unexpected(_ expected: String) -> RedisError {
        if case .error(let error) = self { return .refused(error) }
        return RedisError(.unexpectedReply, "expected \(expected), got \(kind)")
    }

    private var kind: String {
        switch self {
        case .null: "null"
        case .boolean: "a boolean"
        case .integer: "an integer"
        case .double: "a double"
        case .bigNumber: "a big number"
        case .status: "a status"
        case .bulk: "a string"
        case .error: "an error"
        case .array: "an array"
        case .set: "a set"
        case .map: "a map"
        }
    }
}
