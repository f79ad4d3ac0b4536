import Larder
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// A client's connection, as its channel handlers and its requests use it.
final class ClientConnection: Sendable {
    let channel: any Channel
    /// True if the client connected to the address that serves the admin routes only.
    let isAdministrative: Bool
    private let count = Atomic<Int>(0)
    private let source: NIOLockedValueBox<SocketAddress?>
    private let proxied = Atomic<Bool>(false)
    /// The time since which no request is under way, in nanoseconds; 0 if a request is under way.
    private let idle = Atomic<UInt64>(NIODeadline.now().uptimeNanoseconds)
    private let onIdle: @Sendable () -> Void
    /// The memory of the heads of requests under way, and the part of it that is charged to a budget, in bytes.
    private let heads = NIOLockedValueBox((total: 0, charged: 0))

    /// The memory that the heads of a connection's requests take without a charge, in bytes: 16 KiB.
    private static let headShare = 16 << 10

    /// Creates a connection.
    /// - Parameter onIdle: Called when the last request that was under way has ended.
    init(_ channel: any Channel, isAdministrative: Bool = false, onIdle: @escaping @Sendable () -> Void = {}) {
        self.channel = channel
        self.isAdministrative = isAdministrative
        self.onIdle = onIdle
        // The address is read at once, because a closed connection does not have one.
        self.source = NIOLockedValueBox(channel.remoteAddress)
    }

    /// The number of requests on this connection that are not answered completely.
    var requests: Int { count.load(ordering: .relaxed) }

    /// The time since which no request is under way, in nanoseconds of the system's uptime: since the last response, or
    /// since the connection was opened. Nil if a request is under way, or if the connection is administrative and
    /// therefore does not count toward the limit.
    var idleSince: UInt64? {
        let since = idle.load(ordering: .sequentiallyConsistent)
        return since == 0 || isAdministrative ? nil : since
    }

    /// Closes the connection without waiting for the client. Must be called on the event loop.
    func closeTransport() {
        guard let handler = try? channel.pipeline.syncOperations.handler(type: TransportHandler.self) else {
            return channel.close(promise: nil)
        }
        handler.close()
    }

    /// Notes a request.
    func beginRequest() {
        if count.add(1, ordering: .relaxed).oldValue == 0 { idle.store(0, ordering: .sequentiallyConsistent) }
    }

    /// Notes that requests are answered completely, or never will be.
    func endRequests(_ number: Int = 1) {
        guard number > 0, count.subtract(number, ordering: .relaxed).newValue == 0 else { return }
        idle.store(NIODeadline.now().uptimeNanoseconds, ordering: .sequentiallyConsistent)
        onIdle()
    }

    /// Notes a request that was answered as soon as it was read, while no other was under way.
    func noteAnswered(at now: NIODeadline) { idle.store(now.uptimeNanoseconds, ordering: .relaxed) }

    /// Takes the memory of a request's head. The memory above the connection's share is charged to a budget.
    /// - Returns: False if the budget does not have room for it.
    func takeHead(_ bytes: Int, from budget: InFlightBudget) -> Bool {
        heads.withLockedValue { heads in
            let excess = max(0, heads.total + bytes - Self.headShare)
            guard excess <= heads.charged || budget.take(excess - heads.charged) else { return false }
            heads = (heads.total + bytes, max(heads.charged, excess))
            return true
        }
    }

    /// Gives back the memory of a request's head.
    func giveHead(_ bytes: Int, to budget: InFlightBudget) {
        heads.withLockedValue { heads in
            heads.total -= bytes
            let excess = max(0, heads.total - Self.headShare)
            guard excess < heads.charged else { return }
            budget.give(heads.charged - excess)
            heads.charged = excess
        }
    }

    /// The address of the client: that of the connection's peer, unless the peer opened the connection for a client.
    /// Nil if the peer does not give the client's address, or had disconnected before its own address was read.
    var address: SocketAddress? { source.withLockedValue { $0 } }

    /// True if the peer opened the connection for a client, with or without giving the client's address.
    var isProxied: Bool { proxied.load(ordering: .relaxed) }

    /// Notes that the peer opened the connection for a client.
    /// - Parameter address: The client's address; nil if the peer does not give it.
    func noteProxy(for address: SocketAddress?) {
        proxied.store(true, ordering: .relaxed)
        // The peer's address must not stand for the client's: otherwise the gateway would trust the client's header
        // fields as if the peer had written them.
        source.withLockedValue { $0 = address }
    }
}
