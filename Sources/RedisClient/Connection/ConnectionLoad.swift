import Synchronization

/// The bytes that a connection has still to transfer: written on its event loop, and read by all who choose a
/// connection.
final class ConnectionLoad: Sendable {
    private let awaited = Atomic<Int>(0)

    var bytes: Int {
        get { awaited.load(ordering: .relaxed) }
        set { awaited.store(newValue, ordering: .relaxed) }
    }
}
