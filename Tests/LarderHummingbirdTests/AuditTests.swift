import HTTPTypes
import Hummingbird
import Larder
import NIOCore
import TestHelpers
import Testing

@testable import LarderHummingbird

/// The rate at which refused admin requests are logged.
@Suite(.timeLimit(.minutes(5))) struct AuditTests {
    @Test func `Refused requests beyond the limit are counted, and the count is logged with the next line`() {
        var refusals = LogLimit(AdminAudit.limit)
        let start = ContinuousClock.now
        let first = (0..<AdminAudit.limit).map { _ in refusals.count(at: start) }
        let beyond = (0..<1_000).map { _ in refusals.count(at: start + LogLimit.period - .nanoseconds(1)) }
        let next = (0..<2).map { _ in refusals.count(at: start + LogLimit.period) }
        #expect(first == Array(repeating: 0, count: AdminAudit.limit))
        #expect(beyond.allSatisfy { $0 == nil })
        #expect(next == [1_000, 0])
    }

    @Test func `Refused requests are logged up to the limit, and each answered request is logged`() {
        let record = LogRecord()
        let audit = AdminAudit()
        let head = HTTPRequest(method: .delete, scheme: "http", authority: "localhost", path: "/api/invalidate/a")
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        for _ in 0..<1_000 { audit.log(request, client: nil, status: .unauthorized, to: record.logger) }
        #expect(record.lines("An admin request was refused").count <= 2 * AdminAudit.limit)
        for _ in 0..<100 { audit.log(request, client: nil, status: .ok, to: record.logger) }
        #expect(record.lines("Admin request").count == 100)
    }

    @Test func `A line names the client only if the context of the request has addresses`() {
        let record = LogRecord()
        let audit = AdminAudit(source: "Test")
        let head = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/metrics/cache")
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        for client in [nil, "192.0.2.1"] { audit.log(request, client: client, status: .ok, to: record.logger) }
        #expect(
            record.lines == [
                "info Admin request request=GET /metrics/cache status=200",
                "info Admin request client=192.0.2.1 request=GET /metrics/cache status=200",
            ]
        )
    }
}
