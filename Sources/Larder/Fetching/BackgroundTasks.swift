import NIOConcurrencyHelpers

/// The tasks that outlive the request that started them: fetches, refreshes and timers. Their owner can wait for them
/// and cancel them.
package final class BackgroundTasks: Sendable {
    private struct State {
        var tasks: [UInt64: Task<Void, Never>] = [:]
        var lastID: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Creates an owner without tasks.
    package init() {}

    /// The number of tasks under way.
    package var count: Int { state.withLockedValue { $0.tasks.count } }

    /// Starts a task that has the caller's task-local values and not its cancellation.
    @discardableResult
    package func start(_ operation: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        state.withLockedValue { state in
            state.lastID += 1
            let id = state.lastID
            // The task cannot end before it is in the table: to remove itself, it needs the lock that is held here.
            let task = Task { [weak self] in
                await operation()
                self?.state.withLockedValue { $0.tasks[id] = nil }
            }
            state.tasks[id] = task
            return task
        }
    }

    /// Runs an operation to its end and returns its result, even if the caller is cancelled meanwhile.
    package func finish<Value: Sendable>(_ operation: @escaping @Sendable () async -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            start { continuation.resume(returning: await operation()) }
        }
    }

    /// Waits until no task is under way, including tasks that are started meanwhile.
    package func drain() async {
        while let task = state.withLockedValue({ $0.tasks.values.first }) {
            await task.value
        }
    }

    /// Cancels every task under way.
    package func cancelAll() {
        for task in state.withLockedValue({ Array($0.tasks.values) }) { task.cancel() }
    }
}
