public import Logging
import NIOConcurrencyHelpers

/// The messages that a logger was given, one line each: the level, the message, and its metadata sorted by name.
public final class LogRecord: Sendable {
    private let recorded = NIOLockedValueBox<[String]>([])
    private let level: Logger.Level

    /// Creates an empty record of messages of at least a level, `info` by default.
    public init(from level: Logger.Level = .info) { self.level = level }

    /// All lines so far.
    public var lines: [String] { recorded.withLockedValue { $0 } }

    /// Returns the lines that contain a message.
    public func lines(_ message: String) -> [String] { lines.filter { $0.contains(message) } }

    /// A logger that writes into the record.
    public var logger: Logger {
        Logger(label: "test") { [recorded, level] _ in Handler(recorded: recorded, logLevel: level) }
    }

    private struct Handler: LogHandler {
        let recorded: NIOLockedValueBox<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            recorded.withLockedValue { $0.append("\(event.level) \(event.message)\(fields)") }
        }
    }
}
