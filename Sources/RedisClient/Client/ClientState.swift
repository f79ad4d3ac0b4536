/// The state of a client, as its owner can see it.
package struct RedisStatus: Sendable {
    package enum Phase: Hashable, Sendable {
        /// The client is not connected yet, and no attempt has failed.
        case connecting
        /// At least one connection takes commands.
        case connected
        /// No connection takes commands; the client continues to try to connect.
        case down
        /// The client was shut down.
        case stopped
    }

    package var phase = Phase.connecting
    /// The number of connections that take commands.
    package var connections = 0
    /// The highest number of a connection that took commands; zero before the first.
    package var generation = 0
    /// The server that a connection reached last.
    package var server: RedisServer?
    /// The reason why the last connection was lost, or the last attempt failed.
    package var lastError: RedisError?

    package init() {}
}

/// The connections that take commands, and the status that the client's owner sees.
struct ClientState<Connection: AnyObject & Sendable>: Sendable {
    private(set) var status = RedisStatus()
    private var slots: [Connection?]
    private var isRunning = false
    private var turn = 0
    private var generations = 0

    /// A change of the status that is worth a line in the log.
    enum Change {
        case none
        case up
        case down
        /// The server refuses the user while there is no connection.
        case refused
    }

    init(slots: Int) {
        precondition(slots > 0, "A client must have at least one connection.")
        self.slots = Array(repeating: nil, count: slots)
    }
}

extension ClientState {
    /// Returns the connection for commands whose size with their replies is `weight` bytes, or nil while there is none.
    ///
    /// Replies come in order on a connection, so small ones wait behind a large one. Large ones share the last
    /// connection; small ones use the connections in turn, and avoid a connection that awaits many bytes while another
    /// does not.
    mutating func next(weight: Int = 0, awaited: (Connection) -> Int = { _ in 0 }) -> Connection? {
        if weight >= RedisCommand.largeWeight { return slots.last { $0 != nil } ?? nil }
        var least: (connection: Connection, bytes: Int)?
        for _ in slots {
            turn = (turn + 1) % slots.count
            guard let connection = slots[turn] else { continue }
            let bytes = awaited(connection)
            if bytes < RedisCommand.largeWeight { return connection }
            if bytes < least?.bytes ?? .max { least = (connection, bytes) }
        }
        return least?.connection
    }

    /// The connections that take commands.
    var connections: [Connection] { slots.compactMap { $0 } }

    /// Returns the number of a connection that is about to be opened.
    mutating func nextGeneration() -> Int {
        generations += 1
        return generations
    }

    /// Records the server that a connection has reached. Returns the connections to close because they lead to another
    /// server.
    ///
    /// With connections to two servers at a time, as after a failover, a read could miss an earlier write that went to
    /// the other server. So only connections to the server reached last are used.
    mutating func identify(_ server: RedisServer) -> [Connection] {
        defer { status.server = server }
        guard isOtherServer(server) else { return [] }
        let outdated = slots.compactMap { $0 }
        slots = slots.map { _ in nil }
        count()
        return outdated
    }

    /// Returns true if a server is known to be a different one from the server reached last.
    private func isOtherServer(_ server: RedisServer) -> Bool {
        guard let known = status.server?.runID, let runID = server.runID else { return false }
        return runID != known
    }

    /// The result of adding a connection.
    enum JoinResult {
        case joined(Change)
        /// Another server was reached in the meantime.
        case refused(RedisError)
    }

    /// Adds a connection that is ready to take commands.
    mutating func join(_ connection: Connection, slot: Int, generation: Int, server: RedisServer) -> JoinResult {
        guard !isOtherServer(server) else {
            return .refused(RedisError(.unavailable, "the client has connected to another server"))
        }
        slots[slot] = connection
        status.generation = max(status.generation, generation)
        return .joined(count())
    }

    /// Removes a connection that has ended, or records that an attempt to open one has failed.
    mutating func leave(_ connection: Connection?, slot: Int, because error: RedisError) -> Change {
        if slots[slot] === connection { slots[slot] = nil }
        let isNewRefusal = error.accessRefusal != nil && error.accessRefusal != status.lastError?.accessRefusal
        status.lastError = error
        let change = count()
        return change == .none && isNewRefusal && status.phase == .down ? .refused : change
    }

    /// Records that the client begins to open connections.
    mutating func start() {
        precondition(!isRunning, "A client can run only once.")
        isRunning = true
    }

    /// Removes all connections; the client never takes commands again.
    mutating func stop() {
        slots = slots.map { _ in nil }
        status.phase = .stopped
        status.connections = 0
    }

    /// Updates the status from the slots.
    @discardableResult
    private mutating func count() -> Change {
        guard status.phase != .stopped else { return .none }
        let before = status.phase
        status.connections = slots.count { $0 != nil }
        status.phase = status.connections > 0 ? .connected : .down
        guard status.phase != before else { return .none }
        return status.phase == .connected ? .up : .down
    }
}
