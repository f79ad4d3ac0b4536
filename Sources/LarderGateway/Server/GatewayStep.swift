/// A step in the life of a gateway, in order.
public enum GatewayStep: Hashable, Sendable {
    /// Every socket accepts connections.
    case serving
    /// The gateway is to stop. Clients are served for `delay` as before, and then requests under way have `timeout` to
    /// end.
    case draining(requests: Int, delay: Duration, timeout: Duration)
    /// No further connection is accepted, and requests under way have `timeout` to end.
    case finishing(requests: Int, timeout: Duration)
}
