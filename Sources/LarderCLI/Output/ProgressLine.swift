import Foundation

/// A line on standard error that is written over itself, if that is a terminal and the work takes longer than a second.
final class ProgressLine {
    private static let interval = Duration.milliseconds(100)

    private let isShown = isatty(STDERR_FILENO) == 1
    private let clock = ContinuousClock()
    private var next: ContinuousClock.Instant
    private var hasShown = false

    init() { next = clock.now.advanced(by: .seconds(1)) }

    /// Shows a text, at most ten times a second.
    func show(_ text: @autoclosure () -> String) {
        guard isShown, clock.now >= next else { return }
        next = clock.now.advanced(by: Self.interval)
        hasShown = true
        write("\r\u{1B}[K" + text())
    }

    /// Removes what was shown.
    func clear() {
        if hasShown { write("\r\u{1B}[K") }
        hasShown = false
    }

    private func write(_ text: String) { StandardError.write(text) }
}
