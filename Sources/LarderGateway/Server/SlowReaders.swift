import Larder
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The responses that are being sent and may take memory in addition to the store.
///
/// A stored response that was removed while it is sent, or that came from Redis, takes its memory until its last client
/// has read it. Slow clients could use up all of this memory, and nothing more would be stored. So when three quarters
/// of the memory are taken, the responses that have been sent for the longest time are ended, until half of it is free.
final class SlowReaders: Sendable {
    /// The smallest size of a body for which a response is added here, in bytes: 16 KiB.
    static let leastBody = 16 << 10

    /// The shortest time between two checks for slow clients.
    private static let interval = TimeAmount.milliseconds(100)

    private struct Sending {
        let since: NIODeadline
        /// Returns the stored response that the client reads.
        let entry: @Sendable () -> CacheEntry?
        let end: @Sendable () -> Void
    }

    private struct State {
        var next: UInt64 = 0
        var sending: [UInt64: Sending] = [:]
        var isCheckScheduled = false
        var log = LogLimit(1)
    }

    /// A value that keeps a response in the table until it is sent.
    final class Holder: Sendable {
        private let id: UInt64
        private let readers: SlowReaders

        fileprivate init(_ id: UInt64, _ readers: SlowReaders) { (self.id, self.readers) = (id, readers) }

        deinit { readers.remove(id) }
    }

    private let state = NIOLockedValueBox(State())
    private let budget: InFlightBudget
    private let grace: TimeAmount
    private let logger: Logger

    /// Creates a table.
    /// - Parameters:
    ///   - budget: The memory that the responses take.
    ///   - grace: The time that every client has to read a response.
    init(_ budget: InFlightBudget, grace: TimeAmount, logger: Logger) {
        (self.budget, self.grace, self.logger) = (budget, grace, logger)
        budget.onTight { [weak self] in self?.scheduleCheck() }
    }

    /// Adds a response until the holder is released.
    /// - Parameters:
    ///   - entry: Returns the stored response that the client reads, if there is one.
    ///   - end: Ends the response. It must not retain the holder.
    func add(_ entry: @escaping @Sendable () -> CacheEntry?, end: @escaping @Sendable () -> Void) -> Holder {
        let sending = Sending(since: .now(), entry: entry, end: end)
        let id = state.withLockedValue { state in
            state.next += 1
            state.sending[state.next] = sending
            return state.next
        }
        return Holder(id, self)
    }

    private func remove(_ id: UInt64) {
        // The value is released outside of the lock, because an entry may be released with it.
        _ = state.withLockedValue { $0.sending.removeValue(forKey: id) }
    }

    /// Schedules a check that ends the responses of the slowest clients. Many calls in a short time count once.
    private func scheduleCheck() {
        let isFirst = state.withLockedValue { state in
            defer { state.isCheckScheduled = true }
            return !state.isCheckScheduled
        }
        guard isFirst else { return }
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: Self.interval) { [weak self] in
            self?.endSlowest()
        }
    }

    /// Ends the responses that have been sent for the longest time, until half of the memory is free.
    private func endSlowest() {
        let sending = state.withLockedValue { state in
            state.isCheckScheduled = false
            return Array(state.sending.values)
        }
        let excess = budget.used - budget.limit / 2
        let now = NIODeadline.now()
        var (freed, count) = (0, 0)
        var seen: Set<ObjectIdentifier> = []
        for response in sending.sorted(by: { $0.since < $1.since }) where response.since + grace <= now {
            guard freed < excess else { break }
            guard let entry = response.entry(), entry.isInFlight else { continue }
            if seen.insert(ObjectIdentifier(entry)).inserted { freed += entry.cost }
            response.end()
            count += 1
        }
        guard count > 0, let unlogged = state.withLockedValue({ $0.log.count() }) else { return }
        logger.warning(
            "Slow clients were disconnected: their responses used too much of in-flight-limit",
            metadata: ["responses": "\(count)", "warnings-not-logged": "\(unlogged)"]
        )
    }
}
