import Larder
import LarderSimulation
import NIOConcurrencyHelpers
import UnixSignals

/// The work of `larder warm` once the URLs are known: it requests them, shows progress, and sums up at the end, even if
/// a signal or an error ends it before.
final class Warming: Sendable {
    private struct State {
        var counts = WarmCounts()
        var printer: JSONArrayPrinter?
    }

    private let done: ResumeFile?
    private let state: NIOLockedValueBox<State>
    private let clock = ContinuousClock()

    /// Creates the work.
    /// - Parameters:
    ///   - isJSON: True if the results are printed as JSON, while they arrive.
    ///   - done: The file of the URLs that were requested; nil if there is none.
    init(isJSON: Bool, done: ResumeFile?) throws {
        self.done = done
        state = NIOLockedValueBox(State(printer: isJSON ? try JSONArrayPrinter("results") : nil))
    }

    /// True if a request has failed.
    var hasFailures: Bool { state.withLockedValue { $0.counts.failed > 0 } }

    /// Requests the URLs of a run.
    /// - Returns: The signal that has ended the work; nil if all URLs were requested.
    func run(_ run: WarmRun) async throws -> UnixSignal? {
        let started = clock.now
        let result: Result<UnixSignal?, any Error>
        do { result = .success(try await untilSignal(run)) } catch { result = .failure(error) }
        let (counts, printer) = state.withLockedValue { ($0.counts, $0.printer) }
        if let printer {
            try printer.end([(name: "failed", value: counts.failed), (name: "stored", value: counts.stored)])
        } else {
            let seconds = max(clock.now - started, .milliseconds(1)) / .seconds(1)
            let speed = " in \(NumberText.latency(seconds)), \(StatisticsReport.rate(Double(counts.total) / seconds))"
            let report = WarmReport(counts, width: StandardOutput.width, speed: speed)
            for line in report.lines { try StandardOutput.print(line) }
        }
        if counts.total < run.urls.count {
            let rest = EntryText.count(run.urls.count - counts.total, "URL was", "URLs were")
            let advice = done == nil ? "" : ": the same command requests the rest"
            printError("larder: \(rest) not requested\(advice)")
        }
        return try result.get()
    }

    private func untilSignal(_ run: WarmRun) async throws -> UnixSignal? {
        try await withThrowingTaskGroup(of: UnixSignal?.self) { group in
            let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
            group.addTask { await signals.first { _ in true } }
            group.addTask { [self] in
                try await work(run)
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
            return first
        }
    }

    private func work(_ run: WarmRun) async throws {
        let progress = ProgressLine()
        defer { progress.clear() }
        let total = NumberText.grouped(run.urls.count)
        try await run.run { urls, results in
            let counts = try state.withLockedValue { state in
                for result in results {
                    state.counts.add(result)
                    try state.printer?.add(result)
                }
                return state.counts
            }
            try done?.add(zip(urls, results).filter { $0.1.result != "failed" }.map(\.0))
            progress.show(
                ProgressText.line(
                    part: Double(counts.total) / Double(run.urls.count),
                    "\(NumberText.grouped(counts.total)) of \(total) URLs, \(NumberText.grouped(counts.failed)) failed"
                )
            )
        }
    }
}
