package import NIOCore

/// A reply of Redis, or a part of one, as RESP3 types it.
///
/// Two things of the wire are not kept, since nothing here reads them: attributes, and the format of a verbatim string,
/// which arrives as plain `bulk`. Both are checked like everything else. RESP2's null string and null array are `null`.
///
/// Strings share the memory they were received in. Whoever keeps a small one for long copies it.
package enum RESPValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case double(Double)
    /// A number that may not fit into 64 bits: an optional sign and decimal digits.
    case bigNumber(String)
    /// A short text of the server's own, like `OK`.
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

/// An error that the server answered with: the command was understood to be a command, and failed.
package struct RedisReplyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The whole line, beginning with the code.
    package let message: String

    package init(_ message: String) {
        self.message = message
    }

    /// The first word, by which Redis tells its errors apart: `ERR`, `OOM`, `LOADING`, `READONLY`, `NOSCRIPT`, …
    package var code: String {
        String(message.prefix { $0 != " " })
    }

    package var description: String { message }
}

/// Something the server said without being asked.
package struct RedisPush: Hashable, Sendable {
    /// What it is about: `invalidate`, `message`, …
    package let kind: String

    /// What follows the kind.
    package let values: [RESPValue]

    package init(kind: String, values: [RESPValue]) {
        self.kind = kind
        self.values = values
    }
}
