import NIOCore

/// A type that takes commands for Redis: a client, or one of its connections.
package protocol RedisCommands: Sendable {
    /// Sends commands together and returns their replies in the same order. A reply may be an error of the server.
    func pipeline(_ commands: [RedisCommand], timeout: ReplyTimeout) async throws(RedisError) -> RedisReplies
}

/// The replies of a server to commands that were sent together.
package struct RedisReplies: Sendable {
    /// One reply for each command, in the order of the commands.
    package var values: [RESPValue]
    /// True if the server began to answer after the adaptive timeout.
    package var isLate: Bool

    package init(values: [RESPValue], isLate: Bool) {
        self.values = values
        self.isLate = isLate
    }
}

extension RedisCommands {
    /// Sends commands together, and waits for their replies up to the given deadline.
    package func pipeline(_ commands: [RedisCommand], deadline: Duration) async throws(RedisError) -> [RESPValue] {
        try await pipeline(commands, timeout: .fixed(TimeAmount(deadline))).values
    }

    /// Sends one command and returns its reply.
    package func send(_ command: RedisCommand, deadline: Duration) async throws(RedisError) -> RESPValue {
        // A pipeline has as many replies as commands.
        try await pipeline([command], deadline: deadline)[0]
    }

    /// Runs a script, and returns its result. An error of the script is thrown.
    package func run(
        _ script: RedisScript,
        keys: [String],
        arguments: [RedisCommand.Argument] = [],
        deadline: Duration
    ) async throws(RedisError) -> RESPValue {
        let reply = try await send(.run(script, keys: keys, arguments: arguments), deadline: deadline)
        if case .error(let error) = reply { throw .refused(error) }
        return reply
    }

    package func ping(deadline: Duration) async throws(RedisError) {
        let reply = try await send(.ping("ping"), deadline: deadline).text()
        guard reply == "ping" else { throw RedisError(.unexpectedReply, "the reply to PING is not its argument") }
    }

    /// Returns one section of the server's INFO, as values by name.
    package func info(_ section: String, deadline: Duration) async throws(RedisError) -> [String: String] {
        try await send(.info(section), deadline: deadline).infoFields()
    }
}

extension RESPValue {
    /// Returns the lines `name:value` of a reply to INFO.
    func infoFields() throws(RedisError) -> [String: String] {
        var fields: [String: String] = [:]
        for line in try text().split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            // A heading has no colon.
            if parts.count == 2 { fields[String(parts[0])] = String(parts[1]) }
        }
        return fields
    }
}
