/// The server at the other end of a connection, as described by its replies to the first commands.
package struct RedisServer: Hashable, Sendable {
    /// The ID of this run of the server. It changes with every restart, and every replica has a different one.
    ///
    /// Nil if the server does not report it because the user is not allowed to ask; then restarts are not noticed.
    package let runID: String?

    package let version: String

    /// `master` or `replica`.
    package let role: String

    package init(runID: String?, version: String, role: String) {
        self.runID = runID
        self.version = version
        self.role = role
    }
}

extension RedisConnection {
    /// Sends the first commands of a connection in one round trip: protocol, user, client name, INFO and
    /// database. Returns the server's description of itself.
    func greet(_ configuration: RedisConfiguration) async throws(RedisError) -> RedisServer {
        var hello: [RedisCommand.Argument] = ["3"]
        if let credentials = configuration.credentials {
            hello += ["AUTH", .text(credentials.user), .text(credentials.password)]
        }
        hello += ["SETNAME", .text(configuration.clientName)]

        var commands = [RedisCommand("HELLO", hello), .info("server")]
        // A user who may not select a database can still use the first.
        if configuration.database != 0 {
            commands.append(RedisCommand("SELECT", .integer(Int64(configuration.database))))
        }

        let replies = try await pipeline(commands, deadline: configuration.connectTimeout)
        let greeting = try Greeting(replies[0])
        let runID: String?
        if case .error = replies[1] { runID = nil } else { runID = try replies[1].infoFields()["run_id"] }
        for selected in replies.dropFirst(2) { try selected.ok() }
        return RedisServer(runID: runID, version: greeting.version, role: greeting.role)
    }
}

/// The reply of a server to HELLO.
private struct Greeting {
    let version: String
    let role: String

    init(_ reply: RESPValue) throws(RedisError) {
        var fields: [String: RESPValue] = [:]
        for pair in try reply.pairs() { fields[try pair.key.text()] = pair.value }
        guard fields["proto"] == .integer(3) else {
            throw RedisError(.unexpectedReply, "the server does not support RESP3: expected Redis 6 or later")
        }
        version = try fields["version"]?.text() ?? "unknown"
        role = try fields["role"]?.text() ?? "unknown"
    }
}
