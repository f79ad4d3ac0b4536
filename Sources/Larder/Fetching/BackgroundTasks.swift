package import HTTPCaching
import NIOConcurrencyHelpers

/// The tasks that outlive the request that started them: fetches, refreshes, timers, and what is to be done at a later
/// time. Their owner can wait for them and cancel them.
package final class BackgroundTasks: Sendable {
    private struct State {
        var tasks: [UInt64: (due: Timestamp, task: Task<Void, Never>)] = [:]
        var lastID: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Creates an owner without tasks.
    package init() {}

    /// The number of tasks under way.
    package var count: Int { state.withLockedValue { $0.tasks.count } }

    /// Starts a task that has the caller's task-local values and not its cancellation.
    /// - Parameter due: The time before which nobody waits for the task; by default there is none.
    @discardableResult
    package func start(
        due: Timestamp = .distantPast,
        _ operation: @escaping @Sendable () async -> Void
    ) -> Task<Void, Never> {
        state.withLockedValue { state in
            state.lastID += 1
            let id = state.lastID
            // The task cannot end before it is in the table: to remove itself, it needs the lock that is held here.
            let task = Task { [weak self] in
                await operation()
                self?.state.withLockedValue { $0.tasks[id] = nil }
            }
            state.tasks[id] = (due, task)
            return task
        }
    }

    /// Starts a task that waits until a time, and then runs an operation. It does not run if the task is cancelled
    /// before.
    @discardableResult
    func start(
        at time: Timestamp,
        by clock: WallClock,
        _ operation: @escaping @Sendable () async -> Void
    ) -> Task<Void, Never> {
        start(due: time) {
            if (try? await clock.sleep(until: time)) != nil { await operation() }
        }
    }

    /// Runs an operation to its end and returns its result, even if the caller is cancelled meanwhile.
    package func finish<Value: Sendable>(_ operation: @escaping @Sendable () async -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            start { continuation.resume(returning: await operation()) }
        }
    }

    /// Waits until no task is under way whose time has come, including tasks that are started meanwhile.
    /// - Parameter now: The current time; without a clock, all tasks are waited for.
    package func drain(at now: () -> Timestamp = { .distantFuture }) async {
        while let task = firstTask(dueBy: now()) { await task.value }
    }

    private func firstTask(dueBy now: Timestamp) -> Task<Void, Never>? {
        state.withLockedValue { $0.tasks.values.first { $0.due <= now }?.task }
    }

    /// Cancels every task under way.
    package func cancelAll() {
        for task in state.withLockedValue({ $0.tasks.values.map(\.task) }) { task.cancel() }
    }
}
