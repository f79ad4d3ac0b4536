/// The limits on the data that a server may send, and on the commands that may wait for replies.
///
/// Every number that comes from the wire is compared with one of these before anything is allocated for it. A reply
/// that exceeds a limit is treated as a violation of the protocol: the connection is closed. A command that would
/// exceed a limit is refused by this client, and the connection stays open.
package struct RESPLimits: Hashable, Sendable {
    /// The longest line: a status, an error, a number, or the header of a longer value. In bytes, without its CRLF.
    /// Default: 16 KiB.
    package var lineLength: Int = 16 * 1024

    /// The longest bulk string, blob error or verbatim string, in bytes. Default: 16 MiB.
    package var bulkLength: Int = 16 * 1024 * 1024

    /// The elements of one reply, those of its nested aggregates and attributes included; a pair of a map counts two.
    /// Default: 131,072.
    package var elements: Int = 128 * 1024

    /// The depth to which aggregates may nest. Redis' own replies stay below ten. Default: 16.
    package var depth: Int = 16

    /// The bytes of one reply on the wire. Default: 32 MiB.
    package var replyBytes: Int = 32 * 1024 * 1024

    /// The bytes of one push on the wire. Default: 1 MiB.
    package var pushBytes: Int = 1024 * 1024

    /// The bytes of all replies that are held back until the rest of their pipeline has been answered. Default: 64 MiB.
    package var pipelineBytes: Int = 64 * 1024 * 1024

    /// The commands of one connection that were sent and not answered, those given up by their callers included.
    /// Default: 4,096.
    package var commandsInFlight: Int = 4096

    /// The bytes of those commands. A server that stops reading fills at most this much memory. Default: 64 MiB.
    package var bytesInFlight: Int = 64 * 1024 * 1024

    package init() {}
}
