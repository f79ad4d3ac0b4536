import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Synchronization

/// The connections of a listener, and whether there may be more.
///
/// At the limit a further connection takes the place of the one that has been idle for longest, so that idle
/// connections keep no client out. One with a request under way is never closed for that; if all have one, the further
/// one waits.
final class ConnectionTable: Sendable {
    /// A connection, and since when it was idle when it was looked.
    private typealias Candidate = (connection: ClientConnection, since: UInt64)

    private struct State {
        var connections: [ObjectIdentifier: ClientConnection] = [:]
        /// The number of connections that were accepted, those included that are not set up.
        var accepted = 0
        /// The number of those that were admitted.
        var admitted = 0
        /// What admits further connections, of the listening sockets that have stopped to.
        var waiting: [@Sendable () -> Void] = []
        /// The connections that are being closed to make room.
        var closing: Set<ObjectIdentifier> = []
        /// Some of the connections that have been idle for longest, those last.
        var candidates: [Candidate] = []
        /// True if it will be looked again for an idle connection.
        var isLookedAgain = false
    }

    /// The time that a connection has for a request before it may be closed for another one: it may be on its way.
    private static let graceTime = TimeAmount.milliseconds(500)

    /// The number of idle connections that are found by one look at all of them.
    private static let candidatesPerLook = 64

    private let state = NIOLockedValueBox(State())
    private let isFull = Atomic<Bool>(false)
    private let limit: Int

    /// - Parameter limit: The number of connections beyond which no more are admitted.
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
        connection.channel.closeFuture.whenComplete { _ in
            let isAwaited = self.state.withLockedValue { state in
                state.connections[id] = nil
                state.closing.remove(id)
                return !state.waiting.isEmpty
            }
            // What waits may have looked while this one still counted as closing.
            if isAwaited { self.makeRoom() }
        }
    }

    /// Notes an accepted connection, until it is closed.
    func noteAccepted(_ channel: any Channel) {
        state.withLockedValue { $0.accepted += 1 }
        channel.closeFuture.whenComplete { _ in self.state.withLockedValue { $0.accepted -= 1 } }
    }

    /// Admits an accepted connection, until it is closed. If there is no room, an idle one is closed, and `resume` is
    /// called when it is worth another try.
    /// - Returns: True if the connection was admitted.
    func admit(_ channel: any Channel, orElse resume: @escaping @Sendable () -> Void) -> Bool {
        let isAdmitted = state.withLockedValue { state in
            guard state.admitted < limit else {
                state.waiting.append(resume)
                isFull.store(true, ordering: .sequentiallyConsistent)
                return false
            }
            state.admitted += 1
            return true
        }
        guard isAdmitted else {
            makeRoom()
            return false
        }
        channel.closeFuture.whenComplete { _ in
            let waiting = self.state.withLockedValue { state in
                state.admitted -= 1
                defer { state.waiting = [] }
                self.isFull.store(false, ordering: .sequentiallyConsistent)
                return state.waiting
            }
            for resume in waiting { resume() }
        }
        return true
    }

    // MARK: - Idle connections

    /// Notes that a connection has become idle, whose place another one may be waiting for.
    func noteIdle() {
        if isFull.load(ordering: .sequentiallyConsistent) { makeRoom() }
    }

    /// Closes the connection that has been idle for longest, unless as many are being closed as others wait.
    private func makeRoom() {
        let (found, looksAgain) = state.withLockedValue { state -> (ClientConnection?, Bool) in
            guard state.closing.count < state.waiting.count else { return (nil, false) }
            let connection = next(&state)
            let looksAgain = connection == nil && !state.isLookedAgain
            if looksAgain { state.isLookedAgain = true }
            return (connection, looksAgain)
        }
        if looksAgain {
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: Self.graceTime) { [weak self] in
                self?.state.withLockedValue { $0.isLookedAgain = false }
                self?.makeRoom()
            }
        }
        guard let connection = found else { return }
        connection.channel.eventLoop.execute {
            guard connection.idleSince == nil else { return connection.closeTransport() }
            // A request has come meanwhile.
            self.state.withLockedValue { _ = $0.closing.remove(ObjectIdentifier(connection)) }
            self.makeRoom()
        }
    }

    private func next(_ state: inout State) -> ClientConnection? {
        for isSecondLook in [false, true] {
            while let candidate = state.candidates.popLast() {
                let id = ObjectIdentifier(candidate.connection)
                guard candidate.connection.idleSince == candidate.since, state.connections[id] != nil,
                    state.closing.insert(id).inserted
                else { continue }
                return candidate.connection
            }
            guard !isSecondLook else { break }
            let now = NIODeadline.now().uptimeNanoseconds
            let idle = state.connections.values.compactMap { connection -> Candidate? in
                guard !state.closing.contains(ObjectIdentifier(connection)), let since = connection.idleSince,
                    since + UInt64(Self.graceTime.nanoseconds) <= now
                else { return nil }
                return (connection, since)
            }
            state.candidates = idle.sorted { $0.since < $1.since }.prefix(Self.candidatesPerLook).reversed()
        }
        return nil
    }
}

/// Stands on a listening socket: admits what it accepts, and stops at the limit, unless it has none.
final class AcceptLimit: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let table: ConnectionTable
    private let isLimited: Bool
    private let addresses: AddressLimit?
    /// The connections that wait to be admitted: some may be accepted together.
    private var held = CircularBuffer<any Channel>()
    private var isReadHeld = false

    /// - Parameter isLimited: False if what is accepted here takes no place of the others.
    init(_ table: ConnectionTable, _ addresses: AddressLimit?, isLimited: Bool = true) {
        (self.table, self.addresses, self.isLimited) = (table, addresses, isLimited)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = unwrapInboundIn(data)
        if let addresses, !addresses.admitsPeer(of: channel) { return channel.close(promise: nil) }
        table.noteAccepted(channel)
        guard isLimited else { return context.fireChannelRead(data) }
        held.append(channel)
        if held.count == 1 { admit(context) }
    }

    private func admit(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        while let channel = held.first {
            let isAdmitted = table.admit(channel) {
                loop.execute { bound.value.handler.admit(bound.value.context) }
            }
            guard isAdmitted else { return }
            held.removeFirst()
            context.fireChannelRead(wrapInboundOut(channel))
        }
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    func read(context: ChannelHandlerContext) {
        if held.isEmpty { context.read() } else { isReadHeld = true }
    }

    func channelInactive(context: ChannelHandlerContext) {
        for channel in held { channel.close(promise: nil) }
        held.removeAll()
        context.fireChannelInactive()
    }
}
