import Larder
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// The number of connections that each client address may have at a time. The addresses of an IPv6 network of 64 bits
/// count as one, since one client can have all of them.
final class AddressLimit: Sendable {
    private struct State {
        var limit: Int?
        var connections: [IPAddress: Int] = [:]
        var refusals = LogLimit(1)
    }

    private let state: NIOLockedValueBox<State>
    private let isProxy: @Sendable (IPAddress) -> Bool
    private let logger: Logger

    /// Creates a limit.
    /// - Parameters:
    ///   - limit: The number of connections; nil for any number.
    ///   - isProxy: Returns true if the connections from an address are those of many clients.
    init(limit: Int?, logger: Logger, isProxy: @escaping @Sendable (IPAddress) -> Bool) {
        (self.state, self.logger, self.isProxy) = (NIOLockedValueBox(State(limit: limit)), logger, isProxy)
    }

    /// Changes the limit. Connections that are open remain open, and count.
    func setLimit(_ limit: Int?) { state.withLockedValue { $0.limit = limit } }

    /// Counts a connection that its client opened, until it is closed.
    /// - Returns: False if the client has reached the limit.
    func admitsPeer(of channel: any Channel) -> Bool {
        guard let address = channel.remoteAddress?.ipAddress.flatMap({ IPAddress($0) }), !isProxy(address) else {
            return true
        }
        return admits(channel, from: address)
    }

    /// Counts a connection that comes from an address, until it is closed.
    /// - Returns: False if the client has reached the limit.
    func admits(_ channel: any Channel, from address: IPAddress) -> Bool {
        let network = address.clientNetwork
        // The connections are counted even if there is no limit, because a reload may set one.
        let refusal = state.withLockedValue { state -> (limit: Int, unlogged: Int?)? in
            let count = state.connections[network] ?? 0
            if let limit = state.limit, count >= limit { return (limit, state.refusals.count()) }
            state.connections[network] = count + 1
            return nil
        }
        if case (let limit, let unlogged?)? = refusal {
            var metadata: Logger.Metadata = ["address": "\(address)", "limit": "\(limit)"]
            if unlogged > 0 { metadata["refusals-not-logged"] = "\(unlogged)" }
            logger.warning(
                "A client reached its limit of connections: a further connection was closed",
                metadata: metadata
            )
        }
        guard refusal == nil else { return false }
        channel.closeFuture.whenComplete { _ in
            self.state.withLockedValue { state in
                let count = (state.connections[network] ?? 1) - 1
                state.connections[network] = count > 0 ? count : nil
            }
        }
        return true
    }
}
