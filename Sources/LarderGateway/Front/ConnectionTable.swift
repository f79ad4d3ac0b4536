import NIOConcurrencyHelpers
import NIOCore

/// The connections of a listener, and whether there may be more.
final class ConnectionTable: Sendable {
    private struct State {
        var connections: [ObjectIdentifier: ClientConnection] = [:]
        /// The number of connections that were accepted, those included that are not set up.
        var accepted = 0
        /// What accepts further connections, of the listening sockets that have stopped to.
        var waiting: [@Sendable () -> Void] = []
    }

    private let state = NIOLockedValueBox(State())
    private let limit: Int

    /// - Parameter limit: The number of connections beyond which no more are accepted.
    init(limit: Int) { self.limit = limit }

    /// The connections that are set up.
    var connections: [ClientConnection] { state.withLockedValue { Array($0.connections.values) } }

    /// The number of connections and of the requests by them that are not answered.
    var load: (connections: Int, requests: Int) {
        let connections = connections
        return (connections.count, connections.reduce(0) { $0 + $1.requests })
    }

    /// True if every connection that was accepted is set up, or closed.
    var isSetUp: Bool {
        let (connections, accepted) = state.withLockedValue { (Array($0.connections.values), $0.accepted) }
        return connections.count == accepted && connections.allSatisfy(\.channel.isActive)
    }

    /// Tells every connection what happens to the listener.
    func tell(_ event: DrainEvent) {
        for connection in connections { connection.channel.pipeline.fireUserInboundEventTriggered(event) }
    }

    /// Ends every connection, whatever is under way by it.
    func closeAll() {
        for connection in connections { connection.channel.close(promise: nil) }
    }

    /// Takes a connection that is being set up, until it is closed.
    func add(_ connection: ClientConnection) {
        let id = ObjectIdentifier(connection)
        state.withLockedValue { $0.connections[id] = connection }
        connection.channel.closeFuture.whenComplete { _ in self.state.withLockedValue { $0.connections[id] = nil } }
    }

    /// Notes an accepted connection, until it is closed.
    func accept(_ channel: any Channel) {
        state.withLockedValue { $0.accepted += 1 }
        channel.closeFuture.whenComplete { _ in
            let waiting = self.state.withLockedValue { state in
                state.accepted -= 1
                guard state.accepted < self.limit else { return [@Sendable () -> Void]() }
                defer { state.waiting = [] }
                return state.waiting
            }
            for resume in waiting { resume() }
        }
    }

    /// Returns true if another connection may be accepted; if none may, `resume` is called when one may.
    func mayAccept(orElse resume: @escaping @Sendable () -> Void) -> Bool {
        state.withLockedValue { state in
            guard state.accepted >= limit else { return true }
            state.waiting.append(resume)
            return false
        }
    }
}

/// Stands on a listening socket: counts what it accepts, and stops at the limit, unless it has none.
final class AcceptLimit: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let table: ConnectionTable
    private let isLimited: Bool
    private var isWaiting = false

    init(_ table: ConnectionTable, isLimited: Bool = true) {
        self.table = table
        self.isLimited = isLimited
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        table.accept(unwrapInboundIn(data))
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        guard isLimited else { return context.read() }
        guard !isWaiting else { return }
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        let mayAccept = table.mayAccept {
            loop.execute {
                bound.value.handler.isWaiting = false
                bound.value.context.read()
            }
        }
        if mayAccept { context.read() } else { isWaiting = true }
    }
}
