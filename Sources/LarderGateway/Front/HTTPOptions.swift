import NIOCore

/// What holds for each connection of a listener.
struct HTTPOptions: Sendable {
    /// The time that an HTTP/1.1 client has to end its connection after the last response.
    static let lingerTime = TimeAmount.seconds(2)
    /// The time that an idle connection stays open once the listener has closed: a request may be on its way.
    static let graceTime = TimeAmount.milliseconds(250)

    /// The longest silence of a client that is to speak.
    var idleTimeout: TimeAmount
    /// The longest time that a connection takes to end once it was told to.
    var farewellTimeout: TimeAmount
    /// The size of a request's head, by the measure of HTTP/2. Up to twice as much is read, to be refused with 431.
    var headerLimit: Int
    /// True if a client that sends no more may still wait for its response.
    var allowsHalfClose: Bool
    /// Returns true once the gateway is to stop.
    var isDraining: @Sendable () -> Bool
}

/// What the handlers of a connection are told when the gateway is to stop.
enum DrainEvent: Sendable {
    /// Requests are still answered, and connections are to end as soon as that loses none.
    case began
    /// No further connection is accepted.
    case listenerClosed
}
