import NIOConcurrencyHelpers

/// A fetch under way, independent of the request that started it, as seen by the code that may end it.
///
/// The fetch goes on when the request that started it leaves, since it may fill the cache. It ends early if it cannot
/// fill the cache, or if it is not wanted while another request waits for its connection.
package final class BackgroundFetch: Sendable {
    private struct State {
        var task: Task<Void, Never>?
        var isAbandoned = false
        var isOver = false
        var onLeave: (@Sendable () -> Void)?
    }

    private let state = NIOLockedValueBox(State())
    private let checkIfWanted: @Sendable () -> Bool

    /// Creates the handle of a fetch whose task is not attached yet.
    /// - Parameter checkIfWanted: Returns true while a request waits for the fetch; always true for a refresh.
    init(checkIfWanted: @escaping @Sendable () -> Bool) { self.checkIfWanted = checkIfWanted }

    /// True if the fetch ends without a result, because no request waited for one.
    var isAbandoned: Bool { state.withLockedValue { $0.isAbandoned } }

    /// True if a request waits for the fetch, or if the fetch is a refresh, which is for later requests.
    package var isWanted: Bool { checkIfWanted() }

    /// Sets the task of the fetch.
    func attach(_ task: Task<Void, Never>) {
        let isAbandoned = state.withLockedValue { state in
            if !state.isOver { state.task = task }
            return state.isAbandoned
        }
        if isAbandoned { task.cancel() }
    }

    /// Sets the action for when the request that started the fetch leaves. The action is dropped when the fetch is
    /// over, since it may refer to the fetch.
    package func onLeave(_ action: @escaping @Sendable () -> Void) {
        state.withLockedValue { if !$0.isOver { $0.onLeave = action } }
    }

    /// Notes that the fetch is over. Drops the task and the action: a task holds its stack for as long as anything
    /// refers to it.
    func end() {
        let dropped = state.withLockedValue { state in
            defer { (state.task, state.onLeave, state.isOver) = (nil, nil, true) }
            return (state.task, state.onLeave)
        }
        withExtendedLifetime(dropped) {}
    }

    /// Notes that the request that started the fetch does not wait any more: its client has left, or has its response.
    func leave() { state.withLockedValue { $0.onLeave }?() }

    /// Ends the fetch.
    package func abandon() {
        let task = state.withLockedValue { state in
            state.isAbandoned = true
            return state.task
        }
        task?.cancel()
    }
}
