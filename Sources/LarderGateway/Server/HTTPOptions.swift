import NIOCore
import Synchronization

/// The options of each connection of a listener.
struct HTTPOptions: Sendable {
    /// The time that an HTTP/1.1 client has to close its connection after the last response: 2 seconds.
    static let lingerTime = TimeAmount.seconds(2)
    /// The time that an idle connection stays open once the listener has closed, because a request may be on its way:
    /// 250 milliseconds.
    static let graceTime = TimeAmount.milliseconds(250)
    /// The time that a connection without a request so far stays open once the listener has closed, because one is on
    /// its way: 2 seconds.
    static let firstRequestTime = TimeAmount.seconds(2)
    /// The time that an HTTP/2 client has to acknowledge that its connection ends: 5 seconds.
    static let farewellTime = TimeAmount.seconds(5)

    /// The longest time that a TLS handshake may take: 20 seconds.
    static let handshakeTime = TimeAmount.seconds(20)

    /// The longest time that a client may send nothing while the gateway waits for it.
    var idleTimeout: TimeAmount
    /// The lowest rate of a client; nil if there is none.
    var rate: ClientRate?
    /// The largest size of a request's head in bytes, as HTTP/2 measures it. Heads of up to twice this size are read,
    /// and refused with 431.
    var headerLimit: Int
    /// True if a client that has closed its sending side may still wait for its response.
    var allowsHalfClose: Bool
    /// The listener's progress in stopping.
    var drain: DrainState
}

/// The events that are sent to the handlers of a connection when the gateway is to stop.
enum DrainEvent: Sendable {
    /// Requests are still answered, and connections are to end as soon as that loses no request.
    case began
    /// No further connection is accepted.
    case listenerClosed
}

/// A listener's progress in stopping, for connections that did not receive a ``DrainEvent``.
final class DrainState: Sendable {
    private let step = Atomic<Int>(0)

    /// True once the listener is to stop.
    var isDraining: Bool { step.load(ordering: .sequentiallyConsistent) > 0 }

    /// True once no further connection is accepted.
    var isListenerClosed: Bool { step.load(ordering: .sequentiallyConsistent) > 1 }

    /// Notes an event, before it is sent to connections.
    func note(_ event: DrainEvent) {
        switch event {
        case .began: step.store(1, ordering: .sequentiallyConsistent)
        case .listenerClosed: step.store(2, ordering: .sequentiallyConsistent)
        }
    }
}
