import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Synchronization

/// The connections of a listener, with a limit on their number.
///
/// At the limit, a further connection replaces the one that has been idle for longest, so that idle connections do not
/// keep clients out. A connection with a request under way is never closed for that. If all connections have one, the
/// further connection waits.
final class ConnectionTable: Sendable {
    /// A connection, and the time since which it was idle when it was checked.
    private typealias Candidate = (connection: ClientConnection, since: UInt64)

    private struct State {
        /// The largest number of connections that are admitted.
        var limit: Int
        var connections: [ObjectIdentifier: ClientConnection] = [:]
        /// The number of connections that were accepted, including those that are not set up.
        var accepted = 0
        /// The number of accepted connections that were admitted.
        var admitted = 0
        /// Closures that admit further connections, one for each listening socket that has stopped admitting.
        var waiting: [@Sendable () -> Void] = []
        /// The connections that are being closed to make room.
        var closing: Set<ObjectIdentifier> = []
        /// Some of the connections that have been idle for longest, in order, with the longest idle last.
        var candidates: [Candidate] = []
        /// True if a further check for an idle connection is scheduled.
        var isCheckScheduled = false
    }

    /// The time during which an idle connection is not closed for another one, because a request may be on its way: 500
    /// milliseconds.
    private static let graceTime = TimeAmount.milliseconds(500)

    /// The number of idle connections that one check of all connections collects.
    private static let candidatesPerCheck = 64

    private let state: NIOLockedValueBox<State>
    private let isFull = Atomic<Bool>(false)

    /// Creates a table.
    /// - Parameter limit: The largest number of connections that are admitted.
    init(limit: Int) { self.state = NIOLockedValueBox(State(limit: limit)) }

    /// Changes the limit. Connections above it are closed when further ones are accepted, the longest idle first.
    func setLimit(_ limit: Int) {
        let waiting = state.withLockedValue { state in
            state.limit = limit
            return takeWaiting(&state)
        }
        for resume in waiting { resume() }
    }

    /// Removes the closures of those that wait to be admitted.
    private func takeWaiting(_ state: inout State) -> [@Sendable () -> Void] {
        defer { state.waiting = [] }
        isFull.store(false, ordering: .sequentiallyConsistent)
        return state.waiting
    }

    /// The connections that are set up.
    var connections: [ClientConnection] { state.withLockedValue { Array($0.connections.values) } }

    /// The number of connections, and of the requests on them that are not answered.
    var load: (connections: Int, requests: Int) {
        let connections = connections
        return (connections.count, connections.reduce(0) { $0 + $1.requests })
    }

    /// True if every connection that was accepted is set up, or closed.
    var isSetUp: Bool {
        let (connections, accepted) = state.withLockedValue { (Array($0.connections.values), $0.accepted) }
        return connections.count == accepted && connections.allSatisfy(\.channel.isActive)
    }

    /// Sends an event about the listener to every connection.
    func fire(_ event: DrainEvent) {
        for connection in connections { connection.channel.pipeline.fireUserInboundEventTriggered(event) }
    }

    /// Closes every connection, with any requests under way on it.
    func closeAll() {
        for connection in connections { connection.channel.close(promise: nil) }
    }

    /// Adds a connection that is being set up, until it is closed.
    func add(_ connection: ClientConnection) {
        let id = ObjectIdentifier(connection)
        state.withLockedValue { $0.connections[id] = connection }
        connection.channel.closeFuture.whenComplete { _ in
            let isAwaited = self.state.withLockedValue { state in
                state.connections[id] = nil
                state.closing.remove(id)
                return !state.waiting.isEmpty
            }
            // A waiting socket may have called `makeRoom()` while this connection still counted as closing.
            if isAwaited { self.makeRoom() }
        }
    }

    /// Notes an accepted connection, until it is closed.
    func noteAccepted(_ channel: any Channel) {
        countAccepted()
        channel.closeFuture.whenComplete { _ in self.discountAccepted() }
    }

    /// Counts a connection that is being accepted.
    func countAccepted() { state.withLockedValue { $0.accepted += 1 } }

    /// Notes that a connection is closed, or that there was none to accept.
    func discountAccepted() { state.withLockedValue { $0.accepted -= 1 } }

    /// Admits an accepted connection, until it is closed, in the same way as ``reserve(orElse:)``.
    /// - Returns: True if the connection was admitted.
    func admit(_ channel: any Channel, orElse resume: @escaping @Sendable () -> Void) -> Bool {
        guard reserve(orElse: resume) else { return false }
        channel.closeFuture.whenComplete { _ in self.release() }
        return true
    }

    /// Admits a connection, until it is released. At the limit, an idle connection is closed, and `resume` is called
    /// when another attempt may succeed.
    /// - Returns: True if the connection was admitted.
    func reserve(orElse resume: @escaping @Sendable () -> Void) -> Bool {
        let isAdmitted = state.withLockedValue { state in
            guard state.admitted < state.limit else {
                state.waiting.append(resume)
                isFull.store(true, ordering: .sequentiallyConsistent)
                return false
            }
            state.admitted += 1
            return true
        }
        if !isAdmitted { makeRoom() }
        return isAdmitted
    }

    /// Notes that an admitted connection is closed.
    func release() {
        let waiting = state.withLockedValue { state in
            state.admitted -= 1
            return takeWaiting(&state)
        }
        for resume in waiting { resume() }
    }

    // MARK: - Idle connections

    /// Notes that a connection has become idle, and closes it or another one if a further connection waits.
    func noteIdle() {
        if isFull.load(ordering: .sequentiallyConsistent) { makeRoom() }
    }

    /// Closes the connection that has been idle for longest, unless as many connections are being closed as others
    /// wait.
    private func makeRoom() {
        let (found, schedulesCheck) = state.withLockedValue { state -> (ClientConnection?, Bool) in
            guard state.closing.count < state.waiting.count else { return (nil, false) }
            let connection = next(&state)
            let schedulesCheck = connection == nil && !state.isCheckScheduled
            if schedulesCheck { state.isCheckScheduled = true }
            return (connection, schedulesCheck)
        }
        if schedulesCheck {
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: Self.graceTime) { [weak self] in
                self?.state.withLockedValue { $0.isCheckScheduled = false }
                self?.makeRoom()
            }
        }
        guard let connection = found else { return }
        connection.channel.eventLoop.execute {
            guard connection.idleSince == nil else { return connection.closeTransport() }
            // A request has been received meanwhile.
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
            state.candidates = idle.sorted { $0.since < $1.since }.prefix(Self.candidatesPerCheck).reversed()
        }
        return nil
    }
}

/// A channel handler of a listening socket that admits the accepted connections, and stops at the limit, if there is
/// one.
final class AcceptLimit: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let table: ConnectionTable
    private let isLimited: Bool
    private let addresses: AddressLimit?
    /// The connections that wait to be admitted: one read may accept several.
    private var held = CircularBuffer<any Channel>()
    private var isReadHeld = false

    /// Creates a handler.
    /// - Parameter isLimited: False if the connections that are accepted here do not count toward the limit.
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
