/// What a client's owner can see of it.
package struct RedisStatus: Sendable {
    package enum Phase: Hashable, Sendable {
        /// Not connected yet, and nothing has failed.
        case connecting
        /// At least one connection takes commands.
        case connected
        /// No connection takes commands; the client goes on trying.
        case down
        /// The client was shut down.
        case stopped
    }

    package var phase = Phase.connecting
    /// The connections that take commands.
    package var connections = 0
    /// The newest connection that took commands; zero before the first.
    package var generation = 0
    /// The server that was met last.
    package var server: RedisServer?
    /// Why the last connection was lost, or the last attempt failed.
    package var lastError: RedisError?

    package init() {}
}

/// Which connections take commands, and what the client's owner is told of them.
struct ClientState<Connection: AnyObject & Sendable>: Sendable {
    private(set) var status = RedisStatus()
    private var slots: [Connection?]
    private var isRunning = false
    private var turn = 0
    private var generations = 0

    /// A change worth a line in the log.
    enum Change {
        case none
        case up
        case down
    }

    init(slots: Int) {
        precondition(slots > 0, "A client has at least one connection.")
        self.slots = Array(repeating: nil, count: slots)
    }
}

extension ClientState {
    /// Returns the connection for commands of so many bytes with their replies, or nil while there is none.
    ///
    /// Replies come in order on a connection, so that small ones wait behind a large one. Large ones share the last
    /// connection; small ones take turns, and avoid a connection that awaits many bytes while another does not.
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

    /// The number of a connection that is about to be opened.
    mutating func nextGeneration() -> Int {
        generations += 1
        return generations
    }

    /// A connection has learned who the server is. Returns the connections to close because they lead elsewhere.
    ///
    /// Connections to two servers at a time, as after a failover, would let a read see what a write before it did not
    /// reach. The server that was met last is the one that counts.
    mutating func meet(_ server: RedisServer) -> [Connection] {
        defer { status.server = server }
        guard isStranger(server) else { return [] }
        let strangers = slots.compactMap { $0 }
        slots = slots.map { _ in nil }
        count()
        return strangers
    }

    /// Whether a server is known to be another one than that which was met last.
    private func isStranger(_ server: RedisServer) -> Bool {
        guard let known = status.server?.runID, let runID = server.runID else { return false }
        return runID != known
    }

    enum Entry {
        case joined(Change)
        /// Another server was met in the meantime.
        case refused(RedisError)
    }

    /// A connection is ready to take commands.
    mutating func join(_ connection: Connection, slot: Int, generation: Int, server: RedisServer) -> Entry {
        guard !isStranger(server) else {
            return .refused(RedisError(.unavailable, "another server was met in the meantime"))
        }
        slots[slot] = connection
        status.generation = max(status.generation, generation)
        return .joined(count())
    }

    /// A connection has ended, or an attempt to open one has failed.
    mutating func leave(_ connection: Connection?, slot: Int, because error: RedisError) -> Change {
        if slots[slot] === connection { slots[slot] = nil }
        status.lastError = error
        return count()
    }

    /// The client begins to open connections.
    mutating func start() {
        precondition(!isRunning, "A client is run once.")
        isRunning = true
    }

    /// The client takes no more commands, for ever.
    mutating func stop() {
        slots = slots.map { _ in nil }
        status.phase = .stopped
        status.connections = 0
    }

    /// Brings the status up to date with the slots.
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
