import NIOConcurrencyHelpers

/// A gate that holds tasks until it is opened, so that a test can drive an interleaving step by step.
public final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var arrivals = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var watching: [(arrivals: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = NIOLockedValueBox(State())

    /// Creates a closed gate.
    public init() {}

    /// Arrives at the gate, and waits until it is open.
    public func pass() async {
        await withCheckedContinuation { continuation in
            let (isOpen, watchers) = state.withLockedValue { state in
                state.arrivals += 1
                let arrivals = state.arrivals
                let watchers = state.watching.filter { $0.arrivals <= arrivals }
                state.watching.removeAll { $0.arrivals <= arrivals }
                if !state.isOpen { state.waiting.append(continuation) }
                return (state.isOpen, watchers)
            }
            for watcher in watchers { watcher.continuation.resume() }
            if isOpen { continuation.resume() }
        }
    }

    /// Waits until at least `arrivals` tasks have arrived at the gate.
    public func reached(by arrivals: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isReached = state.withLockedValue { state in
                if state.arrivals >= arrivals { return true }
                state.watching.append((arrivals, continuation))
                return false
            }
            if isReached { continuation.resume() }
        }
    }

    /// Lets all tasks through, now and later.
    public func open() {
        let waiting = state.withLockedValue { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// The number of tasks that have arrived at the gate.
    public var arrivals: Int { state.withLockedValue { $0.arrivals } }
}

/// An error for a condition that did not become true in time.
public struct Timeout: Error, CustomStringConvertible {
    public let description: String

    /// Creates the error from a description of the condition.
    public init(description: String) { self.description = description }
}

/// Waits until a condition becomes true that cannot be observed with a gate: that another task has begun to wait, for
/// example.
///
/// The real time is limited, 240 seconds by default, only so that a broken test ends.
public func eventually(
    _ what: @autoclosure () -> String,
    within limit: Duration = .seconds(240),
    _ holds: () async -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    var rounds = 0
    while !(await holds()) {
        guard ContinuousClock.now < deadline else { throw Timeout(description: "It never came about that \(what())") }
        rounds += 1
        // Hundreds of tests that spin would leave no processor time to those that they wait for.
        if rounds < 20 { await Task.yield() } else { try await Task.sleep(for: .milliseconds(1)) }
    }
}
