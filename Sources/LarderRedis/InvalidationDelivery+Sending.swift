import Larder
import Logging
import NIOConcurrencyHelpers
import RedisClient

/// The sending of invalidations to Redis, and the time that callers wait for it.
///
/// While Redis takes invalidations, each is sent at once and by itself. If one fails, it is queued, and an *outage*
/// begins: later invalidations are queued behind it, and all of them are sent together, every 50 ms until Redis
/// confirms them. While they wait, the client tries to reconnect at least every 100 ms. A caller waits for the
/// confirmation for `timeout`, but no longer than `timeout` after the outage began: a server that comes back in time
/// acknowledges the writes that it missed, and one that is known to be away delays no write. The breaker for reads does
/// not count here: a server that is too slow for reads still confirms invalidations.
extension InvalidationDelivery {
    /// Invalidates scopes, and waits until Redis confirms it or the deadline passes. Without a confirmation the scopes
    /// stay queued.
    func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        let start = ContinuousClock.now
        noteConnection()
        let (isDirect, turn) = state.withLockedValue { state in
            state.outbox.begin()
            return (state.outbox.count == 0 && state.overdueSince == nil, state.outbox.turn)
        }
        if isDirect {
            let failure = await send(scopes, turn, by: start + timeout)
            guard let failure else { return .acknowledged }
            // A cancelled caller says nothing about the server.
            if failure.code != .cancelled { state.withLockedValue { $0.overdueSince = $0.overdueSince ?? start } }
        }
        let (queued, end) = state.withLockedValue { state in
            (state.outbox.add(scopes), (state.overdueSince ?? start) + timeout)
        }
        report()
        startDelivery()
        if await isConfirmed(queued, by: min(end, start + timeout)) { return .acknowledged }
        report(isPending: true)
        return .pending
    }

    /// Delivers the invalidations that wait, every 50 ms, until the task is cancelled.
    func run(_ clock: WallClock) async {
        while (try? await clock.sleep(for: .milliseconds(50))) != nil {
            noteConnection()
            startDelivery()
        }
    }

    /// Stops all deliveries, and resumes all waiters without an acknowledgement.
    func stop() {
        let (waiters, left) = state.withLockedValue { state in
            state.isStopped = true
            return (state.acknowledgements.removeAll(), state.outbox.count)
        }
        if left > 0 {
            logger.warning(
                "Stopped before Redis confirmed all invalidations: other processes may serve invalidated responses",
                metadata: ["scopes": "\(left)"]
            )
        }
        for waiter in waiters { waiter.resume(returning: false) }
        tasks.cancelAll()
    }

    /// Starts to send the invalidations that wait, and returns at once. Does nothing if a delivery is under way, or if
    /// there is no connection: ``prepare(_:_:)`` sends them when a server is connected.
    func startDelivery() {
        guard failsafe.isConnected, !state.withLockedValue({ $0.isDelivering || $0.outbox.count == 0 }) else { return }
        tasks.start { await self.deliver() }
    }

    /// Records the time since which there is no connection to Redis, so that later invalidations do not wait for one.
    func noteConnection() {
        let isConnected = failsafe.isConnected
        state.withLockedValue { state in
            if !isConnected {
                state.overdueSince = state.overdueSince ?? .now
            } else if state.outbox.count == 0 {
                state.overdueSince = nil
            }
        }
    }

    /// Sends the invalidations that wait until none is left, or until Redis does not confirm one.
    private func deliver() async {
        let isFirst = state.withLockedValue { state in
            defer { state.isDelivering = true }
            return !state.isDelivering
        }
        guard isFirst else { return }
        while let (batch, turn) = nextBatch() {
            if await send(batch, turn) != nil {
                state.withLockedValue { $0.isDelivering = false }
                return
            }
            confirm()
            report()
        }
    }

    /// Returns the scopes that have waited longest, and the turn at which they are sent. Returns nil if nothing waits,
    /// which ends the delivery.
    ///
    /// At most ``batchSize`` scopes are returned, because look-ups take the same lock.
    private func nextBatch() -> (scopes: [InvalidationScope], turn: Outbox.Turn)? {
        state.withLockedValue { state in
            let batch = state.outbox.next(upTo: Self.batchSize)
            state.isDelivering = !batch.isEmpty
            return batch.isEmpty ? nil : (batch, state.outbox.turn)
        }
    }

    /// Sends scopes to the log in batches that do not delay other commands.
    /// - Parameter end: The time until which the caller waits for all of the batches; nil if no caller waits, so that
    ///   each batch has the whole timeout.
    /// - Returns: The reason why Redis did not confirm all of them; nil if it did.
    private func send(
        _ scopes: [InvalidationScope],
        _ turn: Outbox.Turn,
        by end: ContinuousClock.Instant? = nil
    ) async -> RedisError? {
        for batch in Self.batches(scopes) {
            let timeout = end.map { max(.zero, $0 - .now) } ?? timeout
            do throws(RedisError) {
                let reply = try await failsafe.deliver([command(batch)], within: timeout).first
                guard let reply, Self.isConfirmed(reply) else {
                    return RedisError(.unexpectedReply, "the invalidation log cannot be written")
                }
            } catch {
                return error
            }
            state.withLockedValue { $0.outbox.deliver(batch, sentAt: turn, now: .now) }
        }
        return nil
    }

    /// Ends the outage, because Redis took a command, and resumes the waiters whose invalidations it has confirmed.
    func confirm() {
        let waiters = state.withLockedValue { state in
            state.overdueSince = nil
            return state.acknowledgements.confirm(through: state.outbox.deliveredThrough)
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    /// Waits until Redis has confirmed everything that was queued up to `turn`; returns false if it has not by `end`.
    private func isConfirmed(_ turn: Outbox.Turn, by end: ContinuousClock.Instant) async -> Bool {
        guard end > .now else { return state.withLockedValue { $0.acknowledgements.confirmed >= turn } }
        let id = state.withLockedValue { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let timer = tasks.start {
            try? await ContinuousClock().sleep(until: end)
            self.state.withLockedValue { $0.acknowledgements.leave(id) }?.resume(returning: false)
        }
        let isConfirmed = await withCheckedContinuation { waiter in
            let waits = state.withLockedValue { state in
                // The timer may have fired already, or the store may have stopped.
                !state.isStopped && end > .now && state.acknowledgements.wait(id, for: turn, waiter)
            }
            if !waits { waiter.resume(returning: state.withLockedValue { $0.acknowledgements.confirmed >= turn }) }
        }
        timer.cancel()
        return isConfirmed
    }
}
