import NIOCore
import Synchronization

/// What holds for each connection of a listener.
struct HTTPOptions: Sendable {
    /// The time that an HTTP/1.1 client has to end its connection after the last response.
    static let lingerTime = TimeAmount.seconds(2)
    /// The time that an idle connection stays open once the listener has closed: a request may be on its way.
    static let graceTime = TimeAmount.milliseconds(250)
    /// The time that a connection without a request so far stays open once the listener has closed: one is on its way.
    static let firstRequestTime = TimeAmount.seconds(2)
    /// The time that an HTTP/2 client has to answer when it is told that its connection ends.
    static let farewellTime = TimeAmount.seconds(5)

    /// The longest time that a TLS handshake may take.
    static let handshakeTime = TimeAmount.seconds(20)

    /// The longest silence of a client that is to speak.
    var idleTimeout: TimeAmount
    /// The least rate of a client; nil if there is none.
    var rate: ClientRate?
    /// The size of a request's head, by the measure of HTTP/2. Up to twice as much is read, to be refused with 431.
    var headerLimit: Int
    /// True if a client that sends no more may still wait for its response.
    var allowsHalfClose: Bool
    /// The listener's progress in stopping.
    var drain: DrainState
}

/// What the handlers of a connection are told when the gateway is to stop.
enum DrainEvent: Sendable {
    /// Requests are still answered, and connections are to end as soon as that loses none.
    case began
    /// No further connection is accepted.
    case listenerClosed
}

/// A listener's progress in stopping, for connections that were told of no ``DrainEvent``.
final class DrainState: Sendable {
    private let step = Atomic<Int>(0)

    /// True once the listener is to stop.
    var isDraining: Bool { step.load(ordering: .sequentiallyConsistent) > 0 }

    /// True once no further connection is accepted.
    var isListenerClosed: Bool { step.load(ordering: .sequentiallyConsistent) > 1 }

    /// Notes an event, before anybody is told of it.
    func note(_ event: DrainEvent) {
        switch event {
        case .began: step.store(1, ordering: .sequentiallyConsistent)
        case .listenerClosed: step.store(2, ordering: .sequentiallyConsistent)
        }
    }
}
