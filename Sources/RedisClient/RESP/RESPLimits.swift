/// The most that a server may send, and the most that may wait for it.
///
/// Every number that comes from the wire is compared with one of these before anything is allocated for it. A reply
/// that passes a limit is a violation of the protocol as far as this client is concerned: the connection is closed. The
/// limits on commands are ours to keep: a command that would pass one is refused, and the connection lives on.
package struct RESPLimits: Hashable, Sendable {
    /// The longest line: a status, an error, a number, or the header of something longer. In bytes, without its CRLF.
    package var lineLength: Int = 16 * 1024

    /// The longest bulk string, blob error or verbatim string, in bytes.
    package var bulkLength: Int = 16 * 1024 * 1024

    /// The elements of one reply, those of its nested aggregates and attributes included; a pair of a map counts two.
    package var elements: Int = 128 * 1024

    /// How deep aggregates may nest. Redis' own replies stay below ten.
    package var depth: Int = 16

    /// The bytes of one reply on the wire.
    package var replyBytes: Int = 32 * 1024 * 1024

    /// The bytes of one push on the wire.
    package var pushBytes: Int = 1024 * 1024

    /// The bytes of all replies that are held back until the rest of their pipeline has been answered.
    package var pipelineBytes: Int = 64 * 1024 * 1024

    /// The commands of one connection that were sent and not answered, those given up by their callers included.
    package var commandsInFlight: Int = 4096

    /// The bytes of those commands. A server that stops reading fills this much memory and no more.
    package var bytesInFlight: Int = 64 * 1024 * 1024

    package init() {}
}
