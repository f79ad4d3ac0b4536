package import NIOCore

/// A reply of Redis, or a part of one, with the types of RESP3.
///
/// Two parts of the wire format are dropped, since callers do not need them: attributes, and the format of a verbatim
/// string, which becomes a plain `bulk`. Both are checked like everything else. RESP2's null string and null array are
/// `null`.
///
/// Strings share the memory that they were received in. To store a small one for a long time, copy it.
package enum RESPValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case double(Double)
    /// A number that may not fit into 64 bits: an optional sign and decimal digits.
    case bigNumber(String)
    /// A short text from the server, such as `OK`.
    case status(String)
    case bulk(ByteBuffer)
    case error(RedisReplyError)
    case array([RESPValue])
    case set([RESPValue])
    case map([Pair])

    /// A key of a map with its value.
    package struct Pair: Hashable, Sendable {
        package var key: RESPValue
        package var value: RESPValue

        package init(_ key: RESPValue, _ value: RESPValue) {
            self.key = key
            self.value = value
        }
    }
}

/// An error that the server answered with: the command was received, and failed.
package struct RedisReplyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The whole line, beginning with the code.
    package let message: String

    package init(_ message: String) {
        self.message = message
    }

    /// The first word, which is the kind of error: `ERR`, `OOM`, `LOADING`, `READONLY`, `NOSCRIPT`, …
    package var code: String {
        String(message.prefix { $0 != " " })
    }

    package var description: String { message }
}

/// A message that the server sent without a request.
package struct RedisPush: Hashable, Sendable {
    /// The kind of message: `invalidate`, `message`, …
    package let kind: String

    /// The values after the kind.
    package let values: [RESPValue]

    package init(kind: String, values: [RESPValue]) {
        self.kind = kind
        self.values = values
    }
}
