import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// A connection of a client, as its handlers and its requests know it.
final class ClientConnection: Sendable {
    let channel: any Channel
    /// True if the client came to the address that is for the admin routes alone.
    let isAdministrative: Bool
    private let count = Atomic<Int>(0)
    private let source: NIOLockedValueBox<SocketAddress?>
    private let proxied = Atomic<Bool>(false)

    init(_ channel: any Channel, isAdministrative: Bool = false) {
        self.channel = channel
        self.isAdministrative = isAdministrative
        // Read at once: a connection that is closed has no address.
        self.source = NIOLockedValueBox(channel.remoteAddress)
    }

    /// The number of requests by this connection that are not answered to the end.
    var requests: Int { count.load(ordering: .relaxed) }

    /// Notes a request.
    func beginRequest() { count.add(1, ordering: .relaxed) }

    /// Notes that requests are answered to the end, or never will be.
    func endRequests(_ number: Int = 1) { count.subtract(number, ordering: .relaxed) }

    /// The address of the client: that of the connection's peer, unless the peer opened the connection for a client.
    /// Nil if the peer does not give the client's, or had left before it was asked for its own.
    var address: SocketAddress? { source.withLockedValue { $0 } }

    /// True if the peer opened the connection for a client, whose address it gave or not.
    var isProxied: Bool { proxied.load(ordering: .relaxed) }

    /// Notes that the peer opened the connection for a client.
    /// - Parameter address: The client's address; nil if the peer does not give it.
    func noteProxy(for address: SocketAddress?) {
        proxied.store(true, ordering: .relaxed)
        // The peer's own address is not the client's: what the client says by HTTP would pass for the peer's word.
        source.withLockedValue { $0 = address }
    }
}
