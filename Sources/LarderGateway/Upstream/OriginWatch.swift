import HTTPCaching
import Larder
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore

/// The state of every origin, logged when it changes.
///
/// Stale responses hide an origin that is down from its clients, so the log and the metrics must not.
final class OriginWatch: Sendable {
    private struct State {
        /// The origins that routes name.
        var origins: Set<OriginAddress> = []
        /// The state of each origin that has failed.
        var states: [OriginAddress: OriginState] = [:]
        /// The histogram of the times of each origin that routes name.
        var timers: [OriginAddress: Timer] = [:]
    }

    private let state = NIOLockedValueBox(State())
    private let clock: WallClock
    private let logger: Logger
    private let metrics: any MetricsFactory

    init(clock: WallClock, logger: Logger, metrics: any MetricsFactory = MetricsSystem.factory) {
        self.clock = clock
        self.logger = logger
        self.metrics = metrics
    }

    /// Notes that an origin responded.
    /// - Parameter time: The time from the request until the head of the response; nil if it was not measured.
    func answered(_ origin: OriginAddress, after time: TimeAmount? = nil) {
        let now = clock.now
        let (action, timer) = state.withLockedValue { state in
            let action = state.states[origin]?.answered(at: now)
            // Under the lock, so that the last of two changes is the one that is recorded last.
            if case .logUp = action { gauge(of: origin).record(1) }
            return (action, state.timers[origin])
        }
        if let time { timer?.recordNanoseconds(time.nanoseconds) }
        guard case .logUp(let duration, let failures) = action else { return }
        logger.notice(
            "An origin is up again",
            metadata: [
                "origin": "\(origin)", "down-for": "\(duration.components.seconds)s", "failures": "\(failures)",
            ]
        )
    }

    /// Notes that a request to an origin failed because of the origin.
    func failed(_ origin: OriginAddress, _ error: UpstreamError) {
        guard error.isOfOrigin else { return }
        let now = clock.now
        let action = state.withLockedValue { state in
            // An origin that routes do not name any more may still get its last requests, which must not leave a state
            // behind.
            guard state.origins.contains(origin) else { return OriginState.Action.logFailure(unlogged: 0) }
            let action = state.states[origin, default: OriginState()].failed(error.failure, at: now)
            if case .logDown = action { gauge(of: origin).record(0) }
            return action
        }
        switch action {
        case .nothing, .logUp: break
        case .logDown(let unlogged):
            logger.error("An origin is down", metadata: metadata(origin, error, unlogged))
        case .logFailure(let unlogged):
            logger.warning("An origin failed", metadata: metadata(origin, error, unlogged))
        }
    }

    /// Watches the origins that routes name, and forgets the others. An origin that was not watched counts as up.
    func setOrigins(_ origins: [OriginAddress]) {
        let origins = Set(origins)
        state.withLockedValue { state in
            state.states = state.states.filter { origins.contains($0.key) }
            for origin in origins where state.timers[origin] == nil { state.timers[origin] = timer(of: origin) }
            for origin in state.origins.subtracting(origins) { state.timers.removeValue(forKey: origin)?.destroy() }
            for origin in origins.subtracting(state.origins) { gauge(of: origin).record(1) }
            for origin in state.origins.subtracting(origins) { gauge(of: origin).destroy() }
            state.origins = origins
        }
    }

    private func metadata(_ origin: OriginAddress, _ error: UpstreamError, _ unlogged: Int) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["origin": "\(origin)", "error": "\(error)"]
        if unlogged > 0 { metadata["failures-not-logged"] = "\(unlogged)" }
        return metadata
    }

    /// Returns the histogram of the times in which an origin responds.
    private func timer(of origin: OriginAddress) -> Timer {
        Timer(
            label: "larder_origin_time_seconds",
            dimensions: [("origin", "\(origin)")],
            preferredDisplayUnit: .seconds,
            factory: metrics
        )
    }

    /// Returns the gauge of an origin: 1 if it is up, 0 if it is down. There are as many gauges as origins in the
    /// configuration.
    private func gauge(of origin: OriginAddress) -> Gauge {
        Gauge(label: "larder_origin_available", dimensions: [("origin", "\(origin)")], factory: metrics)
    }
}

extension UpstreamError {
    /// The meaning of the error for the state of the origin.
    var failure: OriginState.Failure {
        switch code {
        case .connectionRefused, .connectionTimeout, .destinationNotFound, .dnsError, .tlsProtocolError: .unreachable
        case .connectionTerminated, .connectionReadTimeout, .responseTimeout, .protocolError, .headerSectionSize:
            .noResponse
        case .connectionLimitReached, .incompleteResponse, .requestError, .requestDenied, .loopDetected,
            .internalError:
            .other
        }
    }
}
