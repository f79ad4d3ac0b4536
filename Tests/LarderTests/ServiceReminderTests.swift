import HTTPCaching
import LarderTestSupport
import Logging
import TestHelpers
import Testing

@testable import Larder

/// The warning of a cache whose service does not run.
@Suite(.timeLimit(.minutes(5))) struct ServiceReminderTests {
    private let clock = ManualClock()
    private let log = LogRecord(from: .warning)
    private let cache: ResponseCache
    private let origin = TestOrigin { _ in TestResponse("v") }

    init() {
        let store = MemoryStore(limit: .mebibytes(1), clock: clock.clock)
        cache = ResponseCache(store: store, logger: log.logger, clock: clock.clock)
    }

    private func get(_ path: String) async throws {
        _ = try await cache.respond(to: .get(path), under: .fresh(for: .seconds(600)), from: origin)
    }

    @Test func `A cache whose service was not started warns once, with the line to add`() async throws {
        try await get("/a")
        clock.advance(by: .milliseconds(999))
        try await get("/b")
        #expect(log.lines.isEmpty)
        clock.advance(by: .milliseconds(1))
        // A hit does not check, so that it costs no time.
        try await get("/a")
        #expect(log.lines.isEmpty)
        for path in ["/c", "/d", "/e"] { try await get(path) }
        clock.advance(by: .seconds(100))
        try await get("/f")
        #expect(log.lines.count == 1)
        #expect(log.lines.first?.contains("app.addServices(cache)") == true)
    }

    @Test func `Writes and requests that bypass the cache are enough to warn`() async throws {
        for _ in 0..<2 {
            try await get("/a?nocache=true")
            clock.advance(by: .seconds(1))
        }
        #expect(log.lines.count == 1)
    }

    @Test func `A cache whose service starts in time does not warn, nor after it was shut down`() async throws {
        try await get("/a")
        let running = Task { [cache] in try await cache.run() }
        while clock.sleeperCount == 0 { await Task.yield() }
        clock.advance(by: .milliseconds(900))
        try await get("/b")
        running.cancel()
        _ = await running.result
        clock.advance(by: .seconds(100))
        for path in ["/c", "/d"] { try await get(path) }
        #expect(log.lines.isEmpty)
    }

    @Test func `A clock that goes back does not warn`() async throws {
        let reminder = ServiceReminder()
        reminder.check(at: Timestamp(secondsSinceEpoch: 100), log.logger)
        reminder.check(at: Timestamp(secondsSinceEpoch: 50), log.logger)
        #expect(log.lines.isEmpty)
        reminder.check(at: Timestamp(secondsSinceEpoch: 101), log.logger)
        #expect(log.lines.count == 1)
    }
}
