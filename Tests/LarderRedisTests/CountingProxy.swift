import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestHelpers

/// A proxy between a store and its server that counts how often the store waits for a reply, and can hold a command.
final class CountingProxy: Sendable {
    private struct State {
        var trips = 0
        var bytes = 0
        var hasAnswered = true
        var held: (trip: Int, gate: Gate)?
    }

    private let state = NIOLockedValueBox(State())

    /// Runs a proxy to a server until `body` returns.
    static func run(to port: Int, _ body: (CountingProxy, _ port: Int) async throws -> Void) async throws {
        let proxy = CountingProxy()
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0, childChannelInitializer: Self.wrap)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { clients in
                    try await withThrowingDiscardingTaskGroup { connections in
                        for try await client in clients {
                            connections.addTask { try? await proxy.connect(client, to: port) }
                        }
                    }
                }
            }
            try await body(proxy, server.channel.localAddress?.port ?? 0)
            group.cancelAll()
        }
    }

    /// The round trips since the count began: commands sent together, and their replies.
    var trips: Int { state.withLockedValue { $0.trips } }

    /// The bytes of the replies since the count began.
    var bytes: Int { state.withLockedValue { $0.bytes } }

    /// Starts the count again from zero.
    func reset() { state.withLockedValue { ($0.trips, $0.bytes) = (0, 0) } }

    /// Holds the commands of a round trip, counted from 1 as of now, until the gate is open.
    func hold(trip: Int, at gate: Gate) {
        state.withLockedValue { $0 = State(held: (trip, gate)) }
    }

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    @Sendable private static func wrap(_ channel: any Channel) -> EventLoopFuture<Connection> {
        channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
    }

    private func connect(_ client: Connection, to port: Int) async throws {
        // A channel of this kind has to be run in any case.
        try await client.executeThenClose { questions, toClient in
            let server = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: "127.0.0.1", port: port, channelInitializer: Self.wrap)
            try await server.executeThenClose { answers, toServer in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for try await part in questions {
                            if let gate = self.asked() { await gate.pass() }
                            try await toServer.write(part)
                        }
                    }
                    group.addTask {
                        for try await part in answers {
                            self.state.withLockedValue { state in
                                state.hasAnswered = true
                                state.bytes += part.readableBytes
                            }
                            try await toClient.write(part)
                        }
                    }
                    // One side has nothing more to send once the other has closed.
                    try await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    /// Counts a part of a command that arrived; returns the gate that it has to wait at, if there is one.
    private func asked() -> Gate? {
        state.withLockedValue { state in
            if state.hasAnswered { state.trips += 1 }
            state.hasAnswered = false
            guard let held = state.held, held.trip == state.trips else { return nil }
            state.held = nil
            return held.gate
        }
    }
}
