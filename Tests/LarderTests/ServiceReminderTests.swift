import HTTPCaching
import LarderTesting
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import Larder

/// A cache that nothing runs says so.
@Suite(.timeLimit(.minutes(5))) struct ServiceReminderTests {
    private let clock = ManualClock()
    private let log = LogRecord()
    private let cache: Cache
    private let origin = TestOrigin { _ in TestResponse("v") }

    init() {
        let store = MemoryStore(limit: .mebibytes(1), clock: clock.clock)
        cache = Cache(store: store, logger: log.logger, clock: clock.clock)
    }

    private func get(_ path: String) async throws {
        _ = try await cache.respond(to: .get(path), under: .fresh(for: .seconds(600)), from: origin)
    }

    @Test func `a cache whose service was not started warns once, with the line to add`() async throws {
        try await get("/a")
        clock.advance(by: .milliseconds(999))
        try await get("/b")
        #expect(log.messages.isEmpty)
        clock.advance(by: .milliseconds(1))
        // A hit says nothing: it costs nothing.
        try await get("/a")
        #expect(log.messages.isEmpty)
        for path in ["/c", "/d", "/e"] { try await get(path) }
        clock.advance(by: .seconds(100))
        try await get("/f")
        #expect(log.messages.count == 1)
        #expect(log.messages.first?.contains("app.addServices(cache)") == true)
    }

    @Test func `writes and requests that bypass the cache are enough to warn`() async throws {
        for _ in 0..<2 {
            try await get("/a?nocache=true")
            clock.advance(by: .seconds(1))
        }
        #expect(log.messages.count == 1)
    }

    @Test func `a cache whose service starts in time does not warn, nor after it was shut down`() async throws {
        try await get("/a")
        let running = Task { [cache] in try await cache.run() }
        while clock.sleeperCount == 0 { await Task.yield() }
        clock.advance(by: .milliseconds(900))
        try await get("/b")
        running.cancel()
        _ = await running.result
        clock.advance(by: .seconds(100))
        for path in ["/c", "/d"] { try await get(path) }
        #expect(log.messages.isEmpty)
    }

    @Test func `a clock that goes back does not warn`() async throws {
        let reminder = ServiceReminder()
        reminder.check(at: Timestamp(secondsSinceEpoch: 100), log.logger)
        reminder.check(at: Timestamp(secondsSinceEpoch: 50), log.logger)
        #expect(log.messages.isEmpty)
        reminder.check(at: Timestamp(secondsSinceEpoch: 101), log.logger)
        #expect(log.messages.count == 1)
    }
}

/// The messages that a logger was given.
private final class LogRecord: Sendable {
    private let recorded = NIOLockedValueBox<[String]>([])

    var messages: [String] { recorded.withLockedValue { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(record: self) } }

    private struct Handler: LogHandler {
        let record: LogRecord
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.trace

        init(record: LogRecord) { self.record = record }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            if event.level >= .warning { record.recorded.withLockedValue { $0.append("\(event.message)") } }
        }
    }
}
