import Synchronization

/// The number of bytes that a connection has still to transfer. It is written on the connection's event loop, and read
/// by the callers that choose a connection.
final class ConnectionLoad: Sendable {
    private let awaited = Atomic<Int>(0)

    var bytes: Int {
        get { awaited.load(ordering: .relaxed) }
        set { awaited.store(newValue, ordering: .relaxed) }
    }
}
