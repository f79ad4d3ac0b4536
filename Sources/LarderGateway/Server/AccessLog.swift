import HTTPCaching
import Larder
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import SystemErrors

/// A service that writes one line for each request, in the format that the settings choose.
///
/// Requests only append to a buffer. The service writes the buffer every 250 milliseconds, on a thread that may block.
/// If writing does not keep up, lines are dropped and counted, and the number is logged with the next write. The log
/// can be turned on and off while the service runs.
final class AccessLog: Service {
    /// The largest size of the text that waits to be written, in bytes: 4 MiB.
    static let limit = 4 << 20

    private struct State {
        /// The file; nil if the log is off.
        var file: LogFile?
        /// The lines that wait to be written to it.
        var text: [UInt8] = []
        /// The lines that wait to be written to files that were replaced by another.
        var earlier: [(file: LogFile, text: [UInt8])] = []
        var dropped = 0

        /// Replaces the file. Lines that wait belong to the former one.
        mutating func replace(by other: LogFile?) {
            if let file, !text.isEmpty { earlier.append((file, text)) }
            (file, text) = (other, [])
        }

        /// Puts lines back that could not be written. Beyond the limit, and for a file that was replaced, they are
        /// dropped. The first may be the rest of a line.
        mutating func putBack(_ rest: [UInt8], to old: LogFile) {
            guard file === old else { return dropped += Self.lines(rest[...]) }
            text = rest + text
            guard text.count > AccessLog.limit else { return }
            let end = text[..<AccessLog.limit].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            dropped += Self.lines(text[end...])
            text.removeSubrange(end...)
        }

        private static func lines(_ text: ArraySlice<UInt8>) -> Int { text.count { $0 == UInt8(ascii: "\n") } }

        /// Takes the lines that wait.
        mutating func take() -> (parts: [(file: LogFile, text: [UInt8])], dropped: Int) {
            let parts = earlier + (file.map { [($0, text)] } ?? [])
            defer { (text, earlier, dropped) = ([], [], 0) }
            return (parts, dropped)
        }
    }

    private let state: NIOLockedValueBox<State>
    private let layout: NIOLockedValueBox<AccessLogLayout>
    private let isActive: Synchronization.Atomic<Bool>
    /// An element each time that the log is turned on.
    private let starts = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let failures = NIOLockedValueBox(LogLimit(1))
    private let clock: WallClock
    private let logger: Logger

    /// Creates a log that appends to a file.
    /// - Parameter path: The path of the file; `-` for standard output, nil if the log is off.
    /// - Throws: `IOError` if the file cannot be opened.
    init(path: String?, as layout: AccessLogLayout, clock: WallClock, logger: Logger) throws {
        self.state = NIOLockedValueBox(State(file: try path.map { try LogFile(path: $0) }))
        self.layout = NIOLockedValueBox(layout)
        self.isActive = Synchronization.Atomic(path != nil)
        self.clock = clock
        self.logger = logger
        if path != nil { starts.continuation.yield() }
    }

    /// True if lines are written. Without lock, since each request asks.
    var isOn: Bool { isActive.load(ordering: .relaxed) }

    /// Adds the line of an answered request.
    func write(_ record: RequestRecord) {
        let line = layout.withLockedValue { $0 }.line(for: record, at: clock.now)
        state.withLockedValue { state in
            // A log that was turned off meanwhile writes nothing more.
            guard state.file != nil else { return }
            guard state.text.count + line.count <= Self.limit else {
                state.dropped += 1
                return
            }
            state.text.append(contentsOf: line)
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.starts.stream {
                while self.isOn, (try? await self.clock.sleep(for: .milliseconds(250))) != nil { await self.flush() }
                await self.flush()
            }
        }
        await flush()
        // A reader of a pipe may be behind.
        for _ in 0..<20 where state.withLockedValue({ !$0.text.isEmpty }) {
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            try? await loop.scheduleTask(in: .milliseconds(50)) {}.futureResult.get()
            await flush()
        }
    }

    /// Opens the file again, after a log rotation has moved it away.
    func reopen() {
        do { try state.withLockedValue { $0.file }?.reopen() } catch {
            logger.error("The access log cannot be opened", metadata: ["error": "\(ErrorText.describe(error))"])
        }
    }

    /// Writes to another file from now on, or turns the log on or off.
    /// - Parameter path: The path of the file; `-` for standard output, nil to turn the log off.
    /// - Throws: `IOError` if the file cannot be opened. Nothing changes then.
    func open(_ path: String?) throws {
        let file = try path.map { try LogFile(path: $0) }
        state.withLockedValue { $0.replace(by: file) }
        isActive.store(file != nil, ordering: .relaxed)
        if file != nil { starts.continuation.yield() }
    }

    /// Changes the format of lines that are added from now on.
    func change(to layout: AccessLogLayout) { self.layout.withLockedValue { $0 = layout } }

    /// Returns the path that a setting names, `-` for standard output; nil if there is no log.
    static func path(_ setting: GatewaySettings.AccessLog) -> String? {
        switch setting {
        case .off: nil
        case .standardOutput: "-"
        case .file(let name): name
        }
    }

    private func flush() async {
        let (parts, dropped) = state.withLockedValue { $0.take() }
        if dropped > 0 {
            logger.warning("The access log is too slow: lines were dropped", metadata: ["dropped-lines": "\(dropped)"])
        }
        for (file, text) in parts where !text.isEmpty {
            // The future is awaited even if the task is cancelled, so that the last lines are written, too.
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            let written = try? await NIOThreadPool.singleton.runIfActive(eventLoop: loop) { file.write(text) }.get()
            let (rest, error) = written ?? (text, IOError(errnoCode: ECANCELED, reason: "write"))
            guard let error else { continue }
            state.withLockedValue { $0.putBack(rest, to: file) }
            guard let unlogged = failures.withLockedValue({ $0.count() }) else { continue }
            var metadata: Logger.Metadata = ["error": "\(ErrorText.describe(error))"]
            if unlogged > 0 { metadata["failures-not-logged"] = "\(unlogged)" }
            logger.error("The access log cannot be written", metadata: metadata)
        }
    }
}
