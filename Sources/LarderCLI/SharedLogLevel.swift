import Logging
import Synchronization

/// The lowest level that is logged, shared by all copies of a logger.
final class SharedLogLevel: Sendable {
    /// The place of the level among all levels. Without lock, since each request asks for the level.
    private let place: Atomic<Int>

    init(_ level: Logger.Level) { self.place = Atomic(Self.place(of: level)) }

    var value: Logger.Level {
        get { Self.levels[place.load(ordering: .relaxed)] }
        set { place.store(Self.place(of: newValue), ordering: .relaxed) }
    }

    private static let levels = Logger.Level.allCases
    private static func place(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
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

    var metadataProvider: Logger.MetadataProvider? {
        get { base.metadataProvider }
        set { base.metadataProvider = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { base.log(event: event) }
}
