import Larder
import Logging
import NIOConcurrencyHelpers
import RedisClient

/// How invalidations reach Redis, and how long those who invalidate wait for it.
///
/// While Redis takes invalidations, each goes out at once and by itself. One that fails is queued, and with it begins
/// an *outage*: what is invalidated from then on is queued behind it, and all of it goes out together, again every
/// 50 ms until Redis confirms it; while it waits, the client connects again at the same pace. Whoever invalidates waits
/// for the confirmation for `timeout`, but no longer than `timeout` after the outage began: a server that comes back in
/// time acknowledges the writes that it missed, and one that is known to be away holds no write up. What reads think of
/// Redis does not count here: a server that is too slow for them still confirms invalidations.
extension InvalidationDelivery {
    /// Stamps covers, and waits for Redis to confirm it up to the deadline. Without a confirmation they stay queued.
    func invalidate(_ scopes: [InvalidationScope]) async -> InvalidationResult {
        let start = ContinuousClock.now
        noteConnection()
        let (isDirect, turn) = state.withLockedValue { state in
            state.outbox.begin()
            return (state.outbox.count == 0 && state.overdueSince == nil, state.outbox.turn)
        }
        if isDirect {
            let failure = await version(scopes, turn, by: start + timeout)
            guard let failure else { return .acknowledged }
            // A caller that is cancelled says nothing of the server.
            if failure.code != .cancelled { state.withLockedValue { $0.overdueSince = $0.overdueSince ?? start } }
        }
        let (queued, end) = state.withLockedValue { state in
            (state.outbox.add(scopes), (state.overdueSince ?? start) + timeout)
        }
        tell()
        startDelivery()
        if await isConfirmed(queued, by: min(end, start + timeout)) { return .acknowledged }
        tell(isPending: true)
        return .pending
    }

    /// Delivers what waits, again every 50 ms until Redis has confirmed it; until the task is cancelled.
    func run(_ clock: WallClock) async {
        while (try? await clock.sleep(for: .milliseconds(50))) != nil {
            noteConnection()
            startDelivery()
        }
    }

    /// Delivers nothing any more, and lets everybody go who waits for it.
    func stop() {
        let (waiters, left) = state.withLockedValue { state in
            state.isStopped = true
            return (state.acknowledgements.removeAll(), state.outbox.count)
        }
        if left > 0 {
            logger.warning(
                "Stopped with invalidations that Redis does not have: other processes may serve what they concern",
                metadata: ["scopes": "\(left)"]
            )
        }
        for waiter in waiters { waiter.resume(returning: false) }
        tasks.cancelAll()
    }

    /// Sends what waits, unless that is being done, or there is no connection; returns at once. Whatever waits by the
    /// time a server is met goes out then.
    func startDelivery() {
        guard failsafe.isConnected, !state.withLockedValue({ $0.isDelivering || $0.outbox.count == 0 }) else { return }
        tasks.start { await self.deliver() }
    }

    /// Notes since when there is no connection to Redis, so that invalidations do not wait for one later.
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

    /// Sends what waits until nothing does, or Redis does not confirm it.
    private func deliver() async {
        let isFirst = state.withLockedValue { state in
            defer { state.isDelivering = true }
            return !state.isDelivering
        }
        guard isFirst else { return }
        while let (batch, turn) = nextBatch() {
            if await version(batch, turn) != nil {
                state.withLockedValue { $0.isDelivering = false }
                return
            }
            confirm()
            tell()
        }
    }

    /// Returns the scopes that have waited longest, and the turn at which they go out; nil, and the delivery is over,
    /// if nothing waits.
    ///
    /// Never all of it: look-ups take this lock, too.
    private func nextBatch() -> (scopes: [InvalidationScope], turn: Outbox.Turn)? {
        state.withLockedValue { state in
            let batch = state.outbox.next(upTo: Self.batchSize)
            state.isDelivering = !batch.isEmpty
            return batch.isEmpty ? nil : (batch, state.outbox.turn)
        }
    }

    /// Stamps covers, in batches that do not keep others waiting.
    /// - Parameter end: When whoever invalidates stops waiting for all of them; nil if nobody does, and each batch has
    ///   the timeout for itself.
    /// - Returns: why Redis did not confirm all of them; nil if it did.
    private func version(
        _ scopes: [InvalidationScope],
        _ turn: Outbox.Turn,
        by end: ContinuousClock.Instant? = nil
    ) async -> RedisError? {
        for batch in Self.batches(scopes) {
            let timeout = end.map { max(.zero, $0 - .now) } ?? timeout
            do throws(RedisError) {
                let reply = try await failsafe.deliver([command(batch)], within: timeout).first
                guard let reply, Self.isConfirmed(reply) else {
                    return RedisError(.unexpectedReply, "the log cannot be kept")
                }
            } catch {
                return error
            }
            state.withLockedValue { $0.outbox.deliver(batch, sentAt: turn, now: .now) }
        }
        return nil
    }

    /// Redis took something: whoever waits for that, and for nothing else, is told.
    func confirm() {
        let waiters = state.withLockedValue { state in
            state.overdueSince = nil
            return state.acknowledgements.confirm(through: state.outbox.settled)
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    /// Waits until Redis has everything that was queued until `turn`; false if it has not by `end`.
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
                // The timer may have come first, or the end of the store.
                !state.isStopped && end > .now && state.acknowledgements.wait(id, for: turn, waiter)
            }
            if !waits { waiter.resume(returning: state.withLockedValue { $0.acknowledgements.confirmed >= turn }) }
        }
        timer.cancel()
        return isConfirmed
    }
}
