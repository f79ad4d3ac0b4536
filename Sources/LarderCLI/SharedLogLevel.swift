import Logging
import NIOConcurrencyHelpers

/// The lowest level that is logged, shared by all copies of a logger.
final class SharedLogLevel: Sendable {
    private let level: NIOLockedValueBox<Logger.Level>

    init(_ level: Logger.Level) { self.level = NIOLockedValueBox(level) }

    var value: Logger.Level {
        get { level.withLockedValue { $0 } }
        set { level.withLockedValue { $0 = newValue } }
    }
}

/// A log handler that filters by a level that can change while the program runs.
struct SharedLevelLogHandler: LogHandler {
    private var base: StreamLogHandler
    private let level: SharedLogLevel

    init(_ base: StreamLogHandler, _ level: SharedLogLevel) {
        self.base = base
        self.base.logLevel = .trace
        self.level = level
    }

    var logLevel: Logger.Level {
        get { level.value }
        // The level is shared, so a copy of a logger cannot change it.
        nonmutating set {}
    }

    var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { base.log(event: event) }
}
