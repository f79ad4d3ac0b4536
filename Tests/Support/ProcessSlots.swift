import NIOConcurrencyHelpers

/// A limit on the number of tests that run child processes at the same time: 24.
///
/// All tests of a group begin at once. With a server for each of them, servers and tests would starve, and this process
/// would run out of descriptors.
enum ProcessSlots {
    private struct State {
        var free = 24
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private static let state = NIOLockedValueBox(State())
    /// True in a test that has a slot: other processes that it starts do not need one, so that no test waits for
    /// itself.
    @TaskLocal private static var hasSlot = false

    /// Runs `body` when a slot is free.
    static func run<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        if hasSlot { return try await body() }
        await withCheckedContinuation { waiter in
            let isFree = state.withLockedValue { state in
                guard state.free > 0 else {
                    state.waiters.append(waiter)
                    return false
                }
                state.free -= 1
                return true
            }
            if isFree { waiter.resume() }
        }
        defer {
            let next = state.withLockedValue { state in
                guard !state.waiters.isEmpty else {
                    state.free += 1
                    return CheckedContinuation<Void, Never>?.none
                }
                return state.waiters.removeFirst()
            }
            next?.resume()
        }
        return try await $hasSlot.withValue(true) { try await body() }
    }
}
