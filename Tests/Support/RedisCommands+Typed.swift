package import NIOCore
package import RedisClient

/// The remaining time until a key expires.
package enum RedisTimeToLive: Hashable, Sendable {
    case noSuchKey
    case forever
    case expires(in: Duration)
}

extension RedisCommand {
    package static func get(_ key: String) -> RedisCommand { RedisCommand("GET", .text(key)) }

    /// Sets a key until it is deleted.
    package static func set(_ key: String, to value: ByteBuffer) -> RedisCommand {
        RedisCommand("SET", .text(key), .bytes(value))
    }

    package static func unlink(_ keys: [String]) -> RedisCommand { RedisCommand("UNLINK", keys.map { .text($0) }) }
}

/// Commands that tests send, with typed replies.
extension RedisCommands {
    /// Returns the value of a key, or nil if there is no such key.
    package func get(_ key: String, deadline: Duration) async throws(RedisError) -> ByteBuffer? {
        try await send(.get(key), deadline: deadline).bytes()
    }

    /// Sets a key for a duration in whole milliseconds.
    package func set(
        _ key: String,
        to value: ByteBuffer,
        for ttl: Duration,
        deadline: Duration
    ) async throws(RedisError) {
        let milliseconds = Int64(ttl / .milliseconds(1))
        let command = RedisCommand("SET", .text(key), .bytes(value), "PX", .integer(milliseconds))
        _ = try await send(command, deadline: deadline).text()
    }

    package func pttl(_ key: String, deadline: Duration) async throws(RedisError) -> RedisTimeToLive {
        switch try await send(RedisCommand("PTTL", .text(key)), deadline: deadline).integer() {
        case -2: .noSuchKey
        case -1: .forever
        case let milliseconds: .expires(in: .milliseconds(milliseconds))
        }
    }

    /// Deletes keys, and returns the number of keys that existed.
    package func unlink(_ keys: [String], deadline: Duration) async throws(RedisError) -> Int64 {
        try await send(.unlink(keys), deadline: deadline).integer()
    }

    /// Returns the number of keys in the selected database, including those that have expired and are not removed yet.
    package func dbsize(deadline: Duration) async throws(RedisError) -> Int64 {
        try await send(.dbsize, deadline: deadline).integer()
    }
}
