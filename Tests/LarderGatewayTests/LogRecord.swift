import Logging
import NIOConcurrencyHelpers

/// What a gateway logs, a line a message: the level, the message, and its metadata by name.
final class LogRecord: Sendable {
    private let recorded = NIOLockedValueBox<[String]>([])

    var lines: [String] { recorded.withLockedValue { $0 } }

    /// The lines of one message.
    func lines(_ message: String) -> [String] { lines.filter { $0.contains(message) } }

    var logger: Logger { Logger(label: "test") { [recorded] _ in Handler(recorded: recorded) } }

    private struct Handler: LogHandler {
        let recorded: NIOLockedValueBox<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

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
