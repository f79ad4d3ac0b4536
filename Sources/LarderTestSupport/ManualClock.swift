public import HTTPCaching
public import Larder
import NIOConcurrencyHelpers

/// A clock that a test advances, for reading the time and for sleeping.
///
/// ```swift
/// let clock = ManualClock()
/// let cache = ResponseCache(store: MemoryStore(limit: .mebibytes(16), clock: clock.clock), clock: clock.clock)
/// clock.advance(by: .seconds(60))
/// ```
public final class ManualClock: Sendable {
    private struct State {
        var now: Timestamp
        var sleepers: [UInt64: (wake: Timestamp, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var lastID: UInt64 = 0
        var watching: [(tasks: Int, continuation: CheckedContinuation<Void, Never>)] = []

        /// Removes and returns those that wait until as many tasks sleep as do now.
        mutating func takeWatchers() -> [CheckedContinuation<Void, Never>] {
            let count = sleepers.count
            let reached = watching.filter { $0.tasks <= count }.map(\.continuation)
            watching.removeAll { $0.tasks <= count }
            return reached
        }
    }

    private let state: NIOLockedValueBox<State>

    /// Creates a clock that shows a given time.
    public init(now: Timestamp = Timestamp(secondsSinceEpoch: 1_800_000_000)) {
        self.state = NIOLockedValueBox(State(now: now))
    }

    /// The time that the clock shows.
    public var now: Timestamp { state.withLockedValue { $0.now } }

    /// The number of tasks that sleep by the clock.
    public var sleeperCount: Int { state.withLockedValue { $0.sleepers.count } }

    /// Waits until at least a number of tasks sleep by the clock, one by default: then advancing it wakes them.
    public func waitUntilSleeping(tasks: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isReached = state.withLockedValue { state in
                if state.sleepers.count >= tasks { return true }
                state.watching.append((tasks, continuation))
                return false
            }
            if isReached { continuation.resume() }
        }
    }

    /// The clock in the form that caches and stores take.
    public var clock: WallClock {
        WallClock(
            now: { self.now },
            sleep: { duration in try await self.sleep { $0.advanced(by: duration) } },
            sleepUntil: { time in try await self.sleep { _ in time } }
        )
    }

    /// Advances the time, and wakes the tasks whose sleep is over.
    public func advance(by duration: Duration) {
        let woken = state.withLockedValue { state in
            state.now = state.now.advanced(by: duration)
            let now = state.now
            let woken = state.sleepers.filter { $1.wake <= now }
            for id in woken.keys { state.sleepers[id] = nil }
            return woken.values.map(\.continuation)
        }
        for continuation in woken { continuation.resume() }
    }

    /// Sleeps until a time that depends on the current one.
    private func sleep(until wake: @Sendable (_ now: Timestamp) -> Timestamp) async throws {
        let id = state.withLockedValue { state in
            state.lastID += 1
            return state.lastID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                var watchers: [CheckedContinuation<Void, Never>] = []
                let result: Result<Void, any Error>? = state.withLockedValue { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    let wake = wake(state.now)
                    if wake <= state.now { return .success(()) }
                    state.sleepers[id] = (wake, continuation)
                    watchers = state.takeWatchers()
                    return nil
                }
                for watcher in watchers { watcher.resume() }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            state.withLockedValue { $0.sleepers.removeValue(forKey: id)?.continuation }?
                .resume(throwing: CancellationError())
        }
    }
}
