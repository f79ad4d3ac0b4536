package import NIOCore

/// A command for Redis: its name and its arguments, in the order of the wire.
package struct RedisCommand: Hashable, Sendable {
    /// An argument. Redis takes all of them as strings; the cases save a conversion.
    package enum Argument: Hashable, Sendable {
        case text(String)
        case bytes(ByteBuffer)
        case integer(Int64)
    }

    package var arguments: [Argument]

    /// The command to send instead if the server does not know the script that this command calls.
    package var fallback: [Argument]?

    /// The bytes that the reply is expected to have, as far as the caller knows. Default: 0. Large replies use a
    /// connection on which small ones do not wait behind them (``ClientState``).
    package var expectedReply = 0

    package init(_ name: String, _ arguments: Argument...) {
        self.init(name, arguments)
    }

    package init(_ name: String, _ arguments: [Argument]) {
        self.arguments = [.text(name)] + arguments
    }
}

extension RedisCommand.Argument: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
}

extension RedisCommand {
    /// The bytes that the command and its reply transfer: its `bytes` arguments and the expected reply. Text arguments
    /// and numbers are not counted.
    var weight: Int {
        arguments.reduce(max(0, expectedReply)) { sum, argument in
            guard case .bytes(let bytes) = argument else { return sum }
            return sum.addingReportingOverflow(bytes.readableBytes).partialValue
        }
    }
}

extension Sequence<RedisCommand> {
    /// True if the commands or their replies take long to transfer, so that others should not wait behind them.
    package var areLarge: Bool { weight >= RedisCommand.largeWeight }

    var weight: Int {
        reduce(0) { sum, command in
            let (weight, overflow) = sum.addingReportingOverflow(command.weight)
            return overflow ? .max : weight
        }
    }
}

extension RedisCommand {
    /// The size in bytes from which commands with their replies count as large.
    static let largeWeight = 65_536
}

// MARK: Commands
extension RedisCommand {
    package static func hmget(_ key: String, fields: [String]) -> RedisCommand {
        RedisCommand("HMGET", [.text(key)] + fields.map { .text($0) })
    }

    package static func ping(_ message: String) -> RedisCommand {
        RedisCommand("PING", .text(message))
    }

    package static func info(_ section: String) -> RedisCommand {
        RedisCommand("INFO", .text(section))
    }

    package static let dbsize = RedisCommand("DBSIZE")

    /// Runs a script by its digest, and by its source if the server does not know the digest.
    ///
    /// In a pipeline, the second attempt is sent after the rest of that pipeline.
    package static func run(_ script: RedisScript, keys: [String], arguments: [Argument] = []) -> RedisCommand {
        let rest = [.integer(Int64(keys.count))] + keys.map { .text($0) } + arguments
        var command = RedisCommand("EVALSHA", [.text(script.digest)] + rest)
        command.fallback = [.text("EVAL"), .text(script.source)] + rest
        return command
    }
}
