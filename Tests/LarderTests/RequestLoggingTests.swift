import HTTPTypes
import Larder
import LarderTestSupport
import Logging
import TestHelpers
import Testing

/// The lines at level debug about requests and fetches.
@Suite(.timeLimit(.minutes(5))) struct RequestLoggingTests {
    private struct Failure: Error {}

    private let clock = ManualClock()

    /// Returns a cache that logs into a record.
    private func cache(_ record: LogRecord) -> ResponseCache {
        ResponseCache(
            store: MemoryStore(limit: .mebibytes(4), clock: clock.clock),
            name: "Test",
            logger: record.logger,
            clock: clock.clock
        )
    }

    /// Returns the lines about requests and fetches, without the reminder that the cache does not run as a service.
    private static func lines(_ record: LogRecord) -> [String] { record.lines("debug ") }

    @Test func `A line says how a request was answered and why, and another if the response was stored`() async throws {
        let record = LogRecord(from: .debug)
        let cache = cache(record)
        let policy = CachePolicy.fresh(for: .seconds(10)).stale(whileRevalidating: .seconds(10))
        let origin = TestOrigin { _ in TestResponse("content") }
        for pause in [0, 0, 15, 0] {
            clock.advance(by: .seconds(pause))
            _ = try await cache.respond(to: .get("/a"), under: policy, from: origin).text
            await cache.idle()
        }
        let lines = Self.lines(record).map { $0.replacing(/bytes=[0-9]+/, with: "bytes=N") }
        let stored = "debug A response was stored bytes=N key=GET:/a"
        #expect(
            lines == [
                stored,
                "debug A request was answered key=GET:/a reason=uri-miss request=GET /a result=miss status=200",
                "debug A request was answered key=GET:/a result=hit",
                "debug A request was answered detail=stale-while-revalidate key=GET:/a request=GET /a result=stale "
                    + "status=200",
                stored,
                "debug A request was answered key=GET:/a result=hit",
            ]
        )
    }

    @Test func `A line says why a response was not stored`() async throws {
        let record = LogRecord(from: .debug)
        let cache = cache(record)
        let origin = TestOrigin { _ in TestResponse("content", [.cacheControl: "no-store"]) }
        let response = try await cache.respond(to: .get("/a"), under: .fresh(for: .seconds(10)), from: origin)
        #expect(try await response.text == "content")
        await cache.idle()
        #expect(
            Set(Self.lines(record)) == [
                "debug A response was not stored key=GET:/a reason=no-store",
                "debug A request was answered detail=no-store key=GET:/a reason=uri-miss request=GET /a result=miss "
                    + "status=200",
            ]
        )
    }

    @Test func `A line says why a request bypassed the cache, and names writes and failures`() async throws {
        let record = LogRecord(from: .debug)
        let cache = cache(record)
        let policy = CachePolicy.fresh(for: .seconds(10))
        let origin = TestOrigin { _ in TestResponse("content") }
        _ = try await cache.respond(to: .get("/a", [.authorization: "x"]), under: policy, from: origin)
        var write = HTTPRequest.get("/b\u{E9}")
        write.method = .post
        _ = try await cache.respond(to: write, under: policy, from: origin)
        await #expect(throws: Failure.self) {
            try await cache.respond(to: .get("/c"), under: policy, from: TestOrigin { _ in throw Failure() })
        }
        #expect(
            Self.lines(record) == [
                "debug A request was answered detail=authorization reason=bypass request=GET /a result=bypass status=200",
                "debug A request was answered reason=method request=POST /b%C3%A9 result=write status=200",
                "debug A request failed error=Failure() key=GET:/c request=GET /c result=error",
            ]
        )
    }

    @Test func `A request that waits for another one's fetch is collapsed`() async throws {
        let record = LogRecord(from: .debug)
        let cache = cache(record)
        let gate = Gate()
        let origin = TestOrigin { _ in
            await gate.pass()
            return TestResponse("content")
        }
        let policy = CachePolicy.fresh(for: .seconds(10))
        async let first = cache.respond(to: .get("/a"), under: policy, from: origin)
        await gate.reached()
        async let second = cache.respond(to: .get("/a"), under: policy, from: origin)
        try await eventually("the second one waits") { cache.waiterCount == 1 }
        gate.open()
        _ = try await (first, second)
        await cache.idle()
        let results = Self.lines(record).compactMap { $0.firstMatch(of: /result=([a-z]+)/).map { String($0.1) } }
        #expect(results.sorted() == ["collapsed", "miss"])
    }

    @Test func `Cached values have lines by their keys`() async throws {
        let record = LogRecord(from: .debug)
        let cache = cache(record)
        for _ in 0..<2 { _ = try await cache.value("answer", for: .seconds(10)) { 42 } }
        let missing: Int? = await cache.get("other")
        #expect(missing == nil)
        let lines = Self.lines(record).filter { !$0.contains("was stored") }
        let results = lines.compactMap { $0.firstMatch(of: /result=([a-z]+)/).map { String($0.1) } }
        #expect(results == ["miss", "hit", "miss"], "\(lines)")
        #expect(lines.allSatisfy { $0.contains("key=") && !$0.contains("request=") }, "\(lines)")
    }

    @Test func `Above level debug no request has a line`() async throws {
        let record = LogRecord(from: .info)
        let cache = cache(record)
        let origin = TestOrigin { _ in TestResponse("content") }
        for _ in 0..<2 { _ = try await cache.respond(to: .get("/a"), under: .fresh(for: .seconds(9)), from: origin) }
        #expect(Self.lines(record).isEmpty)
    }
}
