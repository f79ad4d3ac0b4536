public import Logging
import NIOConcurrencyHelpers

/// The messages that a logger was given, one line each: the level, the message, and its metadata sorted by name.
public final class LogRecord: Sendable {
    private let recorded = NIOLockedValueBox<[String]>([])
    private let level: Logger.Level
    private let showsContext: Bool

    /// Creates an empty record of messages of at least a level, `info` by default.
    /// - Parameter showsContext: True if the lines show the metadata of the logger and of its provider, too.
    public init(from level: Logger.Level = .info, showsContext: Bool = false) {
        self.level = level
        self.showsContext = showsContext
    }

    /// All lines so far.
    public var lines: [String] { recorded.withLockedValue { $0 } }

    /// Returns the lines that contain a message.
    public func lines(_ message: String) -> [String] { lines.filter { $0.contains(message) } }

    /// A logger that writes into the record.
    public var logger: Logger { logger(with: nil) }

    /// Returns a logger that writes into the record.
    /// - Parameter provider: The provider of metadata.
    public func logger(with provider: Logger.MetadataProvider?) -> Logger {
        Logger(label: "test") { [recorded, level, showsContext] _ in
            Handler(recorded: recorded, metadataProvider: provider, logLevel: level, showsContext: showsContext)
        }
    }

    private struct Handler: LogHandler {
        let recorded: NIOLockedValueBox<[String]>
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel: Logger.Level
        let showsContext: Bool

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            var shown = event.metadata ?? [:]
            if showsContext {
                shown = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(shown) { $1 }
            }
            let fields = shown.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            recorded.withLockedValue { $0.append("\(event.level) \(event.message)\(fields)") }
        }
    }
}
