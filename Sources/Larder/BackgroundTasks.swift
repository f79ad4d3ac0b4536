import NIOConcurrencyHelpers

/// The tasks that outlive the request that started them: fetches, refreshes, timers. They have an owner, which can wait
/// for them and end them.
final class BackgroundTasks: Sendable {
    private struct State {
        var tasks: [UInt64: Task<Void, Never>] = [:]
        var lastID: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())

    /// The number of tasks under way.
    var count: Int { state.withLockedValue { $0.tasks.count } }

    /// Starts a task that has the caller's task-local values and not its cancellation.
    @discardableResult
    func start(_ operation: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        state.withLockedValue { state in
            state.lastID += 1
            let id = state.lastID
            // It cannot end before it is in the table: to leave it, it needs the lock that is held here.
            let task = Task { [weak self] in
                await operation()
                self?.state.withLockedValue { $0.tasks[id] = nil }
            }
            state.tasks[id] = task
            return task
        }
    }

    /// Waits until no task is under way, those included that are started meanwhile.
    func drain() async {
        while let task = state.withLockedValue({ $0.tasks.values.first }) {
            await task.value
        }
    }

    /// Cancels every task under way.
    func cancelAll() {
        for task in state.withLockedValue({ Array($0.tasks.values) }) { task.cancel() }
    }
}
