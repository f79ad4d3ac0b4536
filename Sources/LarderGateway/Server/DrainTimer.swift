import Larder
import NIOConcurrencyHelpers

/// The waits of a listener that is to stop, each of which can be cut short.
final class DrainTimer: Sendable {
    private struct State {
        var wait: Task<Void, Never>?
        /// The number of waits that end before they begin.
        var skips = 0
    }

    private let state = NIOLockedValueBox(State())
    private let clock: WallClock

    init(_ clock: WallClock) { self.clock = clock }

    /// True if the next wait ends before it begins.
    var skipsNext: Bool { state.withLockedValue { $0.skips > 0 } }

    /// Waits for a duration, or until the wait is skipped or its task is cancelled.
    func wait(for duration: Duration) async {
        let wait = state.withLockedValue { state -> Task<Void, Never>? in
            guard state.skips == 0 else {
                state.skips -= 1
                return nil
            }
            let wait = Task { [clock] in
                if duration > .zero { try? await clock.sleep(for: duration) }
            }
            state.wait = wait
            return wait
        }
        guard let wait else { return }
        await withTaskCancellationHandler {
            await wait.value
        } onCancel: {
            wait.cancel()
        }
        state.withLockedValue { $0.wait = nil }
    }

    /// Ends the wait under way, or else the next one.
    func skip() {
        let wait = state.withLockedValue { state in
            if state.wait == nil { state.skips += 1 }
            return state.wait
        }
        wait?.cancel()
    }
}
