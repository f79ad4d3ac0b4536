import NIOCore

/// A connection to a Redis server that any number of tasks share.
///
/// Commands are pipelined: a caller sends without waiting for the replies to others. A caller that is cancelled, or
/// whose deadline passes, returns at once and does not affect other callers.
package final class RedisConnection: RedisCommands {
    /// The number of this connection among all that its client has ever opened; later connections have higher numbers.
    package let generation: Int

    /// The reason for giving up the connection, available as soon as it is given up. It never fails.
    let closed: EventLoopFuture<RedisError>

    private let load: ConnectionLoad
    private let eventLoop: any EventLoop
    private let handler: NIOLoopBound<RedisChannelHandler>

    /// Creates a connection from the handler of a channel. Must be called on the channel's event loop.
    init(_ handler: RedisChannelHandler, generation: Int) {
        self.generation = generation
        self.closed = handler.closed
        self.load = handler.load
        self.eventLoop = handler.closed.eventLoop
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
    }

    /// The bytes of the commands that are not answered yet, and of the replies that are expected to them.
    var awaitedBytes: Int { load.bytes }

    /// Sends commands together and returns their replies in the same order. A reply may be an error of the server.
    ///
    /// If the server does not know a script that a command calls, the script is sent in full after the pipeline, with
    /// the same timeout again.
    package func pipeline(
        _ commands: [RedisCommand],
        timeout: ReplyTimeout
    ) async throws(RedisError) -> RedisReplies {
        guard !commands.isEmpty else { return RedisReplies(values: [], isLate: false) }
        let expected = commands.reduce(0) { $0 &+ max(0, $1.expectedReply) }
        var replies = try await exchange(commands.map(\.arguments), expecting: expected, timeout: timeout)

        let unknown = commands.indices.filter { commands[$0].fallback != nil && replies.values[$0].isUnknownScript }
        guard !unknown.isEmpty else { return replies }
        let again = try await exchange(unknown.compactMap { commands[$0].fallback }, timeout: timeout)
        for (index, value) in zip(unknown, again.values) { replies.values[index] = value }
        replies.isLate = replies.isLate || again.isLate
        return replies
    }

    private func exchange(
        _ commands: [[RedisCommand.Argument]],
        expecting reply: Int = 0,
        timeout: ReplyTimeout
    ) async throws(RedisError) -> RedisReplies {
        guard !Task.isCancelled else { throw .cancelled }
        var buffer = ByteBuffer()
        RESPEncoder.encode(commands, into: &buffer)
        let (bytes, sendState) = (buffer, SendState())
        let reply: RedisChannelHandler.Reply = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                eventLoop.execute { [handler] in
                    handler.value.send(
                        bytes,
                        commands: commands.count,
                        expecting: reply,
                        timeout: timeout,
                        sendState: sendState
                    ) { reply in
                        continuation.resume(returning: reply)
                    }
                }
            }
        } onCancel: {
            guard let id = sendState.cancel() else { return }
            eventLoop.execute { [handler] in handler.value.abandon(id) }
        }
        return try reply.get()
    }

    /// Rejects further commands, and closes when those in flight have been answered or given up.
    func drain() {
        eventLoop.execute { [handler] in handler.value.drain() }
    }

    /// Closes the connection at once. Callers that wait for a reply get the error.
    func close(_ error: RedisError) {
        eventLoop.execute { [handler] in handler.value.close(error) }
    }
}

extension RESPValue {
    fileprivate var isUnknownScript: Bool {
        guard case .error(let error) = self else { return false }
        return error.code == "NOSCRIPT"
    }
}
