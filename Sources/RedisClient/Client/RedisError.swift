import SystemErrors

/// The reason why a command has no result.
package struct RedisError: Error, Sendable, CustomStringConvertible {
    package let code: Code
    package let message: String
    package let underlying: (any Error)?

    package init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.underlying = underlying
    }

    package var description: String {
        underlying.map { "\(code): \(message) (\(ErrorText.describe($0)))" } ?? "\(code): \(message)"
    }

    /// The kind of an error, with what is known of the command and of the server.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String {
            case unavailable, overloaded, deadlineExceeded, processBusy, cancelled, connectionLost, protocolViolation
            case refused, unexpectedReply, invalidConfiguration
        }

        private let base: Base

        package var description: String { base.rawValue }

        /// There was no connection. The command was not sent.
        package static let unavailable = Code(base: .unavailable)
        /// The connection has as much in flight as its limits allow. The command was not sent.
        package static let overloaded = Code(base: .overloaded)
        /// The deadline passed. The server may have executed the command, or may still execute it.
        package static let deadlineExceeded = Code(base: .deadlineExceeded)
        /// The deadline passed while this process had not read the data that the server sent, so the server need not be
        /// slow. It may have executed the command, or may still execute it.
        package static let processBusy = Code(base: .processBusy)
        /// The caller's task was cancelled. The server may have executed the command, or may still execute it.
        package static let cancelled = Code(base: .cancelled)
        /// The connection ended. The server may have executed the command.
        package static let connectionLost = Code(base: .connectionLost)
        /// The server sent data that is not RESP3, or too much of it. It may have executed the command.
        package static let protocolViolation = Code(base: .protocolViolation)
        /// The server answered with an error, which is in `reply`.
        package static let refused = Code(base: .refused)
        /// The server answered with a value of a type that the command never returns.
        package static let unexpectedReply = Code(base: .unexpectedReply)
        /// The configuration cannot work with any server.
        package static let invalidConfiguration = Code(base: .invalidConfiguration)
    }

    /// The error that the server answered with.
    package var reply: RedisReplyError? {
        underlying as? RedisReplyError
    }

    /// The refusal of the user of the connection; nil if this is another error.
    package var accessRefusal: RedisAccessRefusal? { reply?.accessRefusal }
}

/// The refusal of the user of a connection, in words for the log.
package struct RedisAccessRefusal: Hashable, Sendable {
    /// The code of the server's error: `WRONGPASS`, `NOAUTH` or `NOPERM`.
    package let code: String
    /// The refusal, to follow the name of the server: `refuses the password`.
    package let fault: String
    /// The change that ends the refusal.
    package let remedy: String
}

extension RedisReplyError {
    /// The refusal of the user of the connection; nil if this is another error.
    package var accessRefusal: RedisAccessRefusal? {
        let words: (fault: String, remedy: String)
        switch code {
        case "WRONGPASS": words = ("refuses the user or the password", "correct them in the URL of the server")
        case "NOAUTH":
            words = ("needs a password", "give it in the URL of the server, as in redis://:password@host")
        case "NOPERM":
            words = ("denies its user a command", "grant the user all commands of the store with ACL SETUSER")
        default: return nil
        }
        return RedisAccessRefusal(code: code, fault: words.fault, remedy: words.remedy)
    }
}

extension RedisError {
    static func refused(_ reply: RedisReplyError) -> RedisError {
        RedisError(.refused, "Redis answered with an error", underlying: reply)
    }

    static func violation(_ violation: RESPViolation) -> RedisError {
        RedisError(.protocolViolation, "the server violated the protocol", underlying: violation)
    }

    static let cancelled = RedisError(.cancelled, "the caller was cancelled")
    static let deadlineExceeded = RedisError(.deadlineExceeded, "no reply before the deadline")
    static let processBusy = RedisError(.processBusy, "the deadline passed before this process read the reply")
}
