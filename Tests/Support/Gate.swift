import NIOConcurrencyHelpers

/// Holds whoever comes to it until it is opened, so that a test can drive an interleaving step by step.
public final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var arrivals = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var watching: [(arrivals: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = NIOLockedValueBox(State())

    /// A closed gate.
    public init() {}

    /// Comes to the gate, and waits until it is open.
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

    /// Waits until that many have come to the gate.
    public func reached(by arrivals: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLockedValue { state in
                if state.arrivals >= arrivals { return true }
                state.watching.append((arrivals, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// Lets everybody through, now and later.
    public func open() {
        let waiting = state.withLockedValue { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// How many have come to the gate.
    public var arrivals: Int { state.withLockedValue { $0.arrivals } }
}

/// A condition that did not come about.
public struct Timeout: Error, CustomStringConvertible {
    public let description: String

    /// A condition, in words.
    public init(description: String) { self.description = description }
}

/// Waits until a condition holds that no gate can tell of: another task has come to wait, say.
///
/// It is bounded in real time only so that a broken test ends.
public func eventually(_ what: String, within limit: Duration = .seconds(240), _ holds: () async -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    var rounds = 0
    while !(await holds()) {
        guard ContinuousClock.now < deadline else { throw Timeout(description: "It never came about that \(what)") }
        rounds += 1
        // Hundreds of tests that spin would leave no processor time to those they wait for.
        if rounds < 20 { await Task.yield() } else { try await Task.sleep(for: .milliseconds(1)) }
    }
}
