package import NIOCore

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

/// The remaining time until a key expires.
package enum RedisTimeToLive: Hashable, Sendable {
    case noSuchKey
    case forever
    case expires(in: Duration)
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

    /// Returns the value of a key, or nil if there is no such key.
    package func get(_ key: String, deadline: Duration) async throws(RedisError) -> ByteBuffer? {
        try await send(.get(key), deadline: deadline).bytes()
    }

    package func set(
        _ key: String,
        to value: ByteBuffer,
        for ttl: Duration,
        deadline: Duration
    ) async throws(RedisError) {
        try await send(.set(key, to: value, for: ttl), deadline: deadline).ok()
    }

    package func pttl(_ key: String, deadline: Duration) async throws(RedisError) -> RedisTimeToLive {
        switch try await send(.pttl(key), deadline: deadline).integer() {
        case -2: .noSuchKey
        case -1: .forever
        case let milliseconds: .expires(in: .milliseconds(milliseconds))
        }
    }

    /// Deletes keys, and returns the number of keys that existed.
    package func del(_ keys: [String], deadline: Duration) async throws(RedisError) -> Int64 {
        guard !keys.isEmpty else { return 0 }
        return try await send(.del(keys), deadline: deadline).integer()
    }

    /// Deletes keys, frees their memory later, and returns the number of keys that existed.
    package func unlink(_ keys: [String], deadline: Duration) async throws(RedisError) -> Int64 {
        guard !keys.isEmpty else { return 0 }
        return try await send(.unlink(keys), deadline: deadline).integer()
    }

    /// Returns the values of some fields of a hash, in the order of `fields`; nil for each field that does not exist.
    package func hmget(
        _ key: String,
        fields: [String],
        deadline: Duration
    ) async throws(RedisError) -> [ByteBuffer?] {
        guard !fields.isEmpty else { return [] }
        let values = try await send(.hmget(key, fields: fields), deadline: deadline).elements()
        guard values.count == fields.count else {
            throw RedisError(.unexpectedReply, "expected \(fields.count) fields, got \(values.count)")
        }
        return try values.map { value throws(RedisError) in try value.bytes() }
    }

    /// Returns all fields of a hash; an empty dictionary if there is no such key.
    package func hgetall(_ key: String, deadline: Duration) async throws(RedisError) -> [String: ByteBuffer] {
        var fields: [String: ByteBuffer] = [:]
        for pair in try await send(.hgetall(key), deadline: deadline).pairs() {
            fields[try pair.key.text()] = try pair.value.bytes()
        }
        return fields
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

    /// Returns the number of keys in the selected database, including those that have expired and are not removed yet.
    package func dbsize(deadline: Duration) async throws(RedisError) -> Int64 {
        try await send(.dbsize, deadline: deadline).integer()
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
