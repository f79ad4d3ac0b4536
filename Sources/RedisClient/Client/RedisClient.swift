package import Logging
import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix
import ServiceLifecycle

/// A client of one Redis server, with a few open connections that all callers share.
///
/// While there is no connection, commands fail at once as `unavailable`; they are not queued. Connections that end are
/// opened again for as long as `run()` runs; a server that cannot be reached at the start is connected to once it can.
package final class RedisClient: Service, RedisCommands {
    /// The events that the owner of a client can handle.
    package struct Hooks: Sendable {
        /// Runs on every connection before the connection takes commands of other callers, and may send commands on it.
        ///
        /// It gets the server that the connection reached: one with another run ID has restarted or been replaced, and
        /// may have lost writes. By then, the connections to the previous server do not take commands any more. If it
        /// throws, the connection is closed, and another attempt follows. It may run for several connections at a time.
        package var onConnect: @Sendable (RedisConnection, RedisServer) async throws -> Void = { _, _ in }

        /// Called on the connection's event loop, in the order of the stream: it must not block.
        package var onPush: @Sendable (RedisPush, _ generation: Int) -> Void = { _, _ in }

        /// Returns true if the owner has commands for the server that cannot wait: then the next attempt to connect
        /// follows within 100 ms, however many have failed. Nil if that is never the case.
        package var isUrgent: (@Sendable () -> Bool)?

        /// Called when a first connection takes commands, when the last one has ended, and when the server refuses the
        /// user of a client without connections; `status` shows which. If it is nil, the client logs the change.
        package var onChange: (@Sendable () -> Void)?

        package init() {}
    }

    private let configuration: RedisConfiguration
    private let hooks: Hooks
    private let connector: RedisConnector
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let state: NIOLockedValueBox<ClientState<RedisConnection>>

    /// Creates a client. Throws only if the configuration cannot work; `run()` connects to the server.
    package init(
        _ configuration: RedisConfiguration,
        hooks: Hooks = Hooks(),
        logger: Logger,
        eventLoopGroup: (any EventLoopGroup)? = nil,
        clock: any Clock<Duration> = ContinuousClock()
    ) throws(RedisError) {
        self.configuration = configuration
        self.hooks = hooks
        self.connector = try RedisConnector(
            configuration,
            group: eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
        )
        self.clock = clock
        self.logger = logger
        self.state = NIOLockedValueBox(ClientState(slots: configuration.connections))
    }

    package func pipeline(
        _ commands: [RedisCommand],
        timeout: ReplyTimeout
    ) async throws(RedisError) -> RedisReplies {
        let weight = commands.weight
        guard let connection = state.withLockedValue({ $0.next(weight: weight) { $0.awaitedBytes } }) else {
            let reason = status.lastError
            throw RedisError(.unavailable, "there is no connection to Redis", underlying: reason)
        }
        return try await connection.pipeline(commands, timeout: timeout)
    }

    /// Pings every connection, and waits for the replies up to the upper bound of the adaptive timeout. The times of
    /// the replies are samples for later timeouts.
    /// - Returns: True if there was a reply.
    package func probe() async -> Bool {
        let connections = state.withLockedValue { $0.connections }
        return await withTaskGroup(of: Bool.self) { group in
            for connection in connections {
                group.addTask { (try? await connection.pipeline([.ping("larder")], timeout: .probe)) != nil }
            }
            return await group.reduce(false) { $0 || $1 }
        }
    }

    /// Closes the connections, so that others are opened: the state known of the server may not hold any more.
    package func reconnect(because error: RedisError) {
        for connection in state.withLockedValue({ $0.connections }) { connection.close(error) }
    }

    package var status: RedisStatus {
        state.withLockedValue { $0.status }
    }

    /// Runs the connections until the task is cancelled or the service is shut down. Then waits for the commands in
    /// flight, which takes no longer than their deadlines, and returns.
    package func run() async {
        state.withLockedValue { $0.start() }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for slot in 0..<self.configuration.connections {
                    group.addTask { await self.keepConnected(slot) }
                }
            }
        }
        state.withLockedValue { $0.stop() }
    }
}

// MARK: One slot
extension RedisClient {
    private func keepConnected(_ slot: Int) async {
        var plan = configuration.reconnecting
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            var lifetime = Duration.zero
            do throws(RedisError) {
                let connection = try await open(slot)
                lifetime = await clock.measure { await stay(on: connection) }
            } catch {
                guard !Task.isCancelled else { return }
                left(nil, slot: slot, because: error)
            }
            await pause(for: plan.delay(afterLifetime: lifetime, using: &generator))
        }
    }

    /// Waits before the next attempt to connect; if the owner has urgent commands, no longer than 100 ms.
    private func pause(for delay: Duration) async {
        guard let isUrgent = hooks.isUrgent else {
            try? await clock.sleep(for: delay)
            return
        }
        var left = delay
        while left > .zero, !Task.isCancelled {
            let step = min(left, .milliseconds(100) * Double.random(in: 0.5...1))
            try? await clock.sleep(for: step)
            if isUrgent() { return }
            left -= step
        }
    }

    /// Opens a connection, and lets it take commands once the owner's `onConnect` has returned.
    private func open(_ slot: Int) async throws(RedisError) -> RedisConnection {
        let generation = state.withLockedValue { $0.nextGeneration() }
        let connection = try await connector.connect(generation: generation) { [hooks] push in
            hooks.onPush(push, generation)
        }
        do throws(RedisError) {
            let server = try await connection.greet(configuration)
            let outdated = state.withLockedValue { $0.identify(server) }
            for old in outdated {
                old.close(RedisError(.connectionLost, "the client has connected to another server"))
            }
            try await introduce(connection, server)
            let result = state.withLockedValue {
                $0.join(connection, slot: slot, generation: generation, server: server)
            }
            switch result {
            case .refused(let error): throw error
            case .joined(let change): report(change)
            }
        } catch {
            connection.close(error)
            throw error
        }
        // The callback runs at once if the connection has ended by now. It runs on the event loop, so that a lost
        // connection gets as few commands as possible.
        connection.closed.whenSuccess { error in self.left(connection, slot: slot, because: error) }
        return connection
    }

    private func introduce(_ connection: RedisConnection, _ server: RedisServer) async throws(RedisError) {
        do {
            try await hooks.onConnect(connection, server)
        } catch let error as RedisError {
            throw error
        } catch {
            throw RedisError(.unavailable, "the connection was rejected", underlying: error)
        }
    }

    /// Waits until the connection has ended; if the task is cancelled, drains the connection first.
    private func stay(on connection: RedisConnection) async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.watch(connection) }
                _ = try? await connection.closed.get()
                group.cancelAll()
            }
        } onCancel: {
            state.withLockedValue { $0.stop() }
            connection.drain()
        }
    }

    /// Pings a connection at intervals of the heartbeat. This detects a lost server although no commands are sent, and
    /// replies that belong to other commands. The times of the replies are samples for later timeouts.
    private func watch(_ connection: RedisConnection) async {
        for count in 1... {
            guard (try? await clock.sleep(for: configuration.heartbeat)) != nil else { return }
            let echo = "larder \(connection.generation) \(count)"
            let replies = try? await connection.pipeline([.ping(echo)], timeout: .probe)
            switch replies?.values[0] {
            // A missing reply is handled by the connection's silence limit, an error by the callers that send commands.
            case nil, .error, .bulk(ByteBuffer(string: echo)): continue
            default: connection.close(RedisError(.protocolViolation, "the server sent the reply to another command"))
            }
        }
    }
}

// MARK: Reporting
extension RedisClient {
    private func left(_ connection: RedisConnection?, slot: Int, because error: RedisError) {
        logger.debug("Redis connection ended", metadata: metadata(error))
        report(state.withLockedValue { $0.leave(connection, slot: slot, because: error) })
    }

    /// Reports a change once, however many connections and attempts it takes.
    private func report(_ change: ClientState<RedisConnection>.Change) {
        if let onChange = hooks.onChange {
            if change != .none { onChange() }
            return
        }
        let status = status
        switch change {
        case .none: break
        case .up:
            logger.info(
                "Redis is connected",
                metadata: [
                    "redis": "\(configuration.endpoint)", "version": "\(status.server?.version ?? "unknown")",
                ]
            )
        case .down, .refused:
            let refusal = status.lastError?.accessRefusal.map { "Redis \($0.fault): \($0.remedy)" }
            logger.warning("\(refusal ?? "Redis is not connected")", metadata: status.lastError.map(metadata) ?? [:])
        }
    }

    private func metadata(_ error: RedisError) -> Logger.Metadata {
        ["redis": "\(configuration.endpoint)", "error": "\(error)"]
    }
}
