import HTTPTypes
import Larder
import LarderTestSupport
import Logging
import TestHelpers
import Testing

@testable import LarderGateway

/// The IDs of requests and traces.
@Suite(.timeLimit(.minutes(5))) struct RequestIDTests {
    private static let trusting = ["trusted-proxies": "127.0.0.1, ::1"]
    private static let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private static let fresh: @Sendable (ScriptedOrigin.Received) async throws -> String = { _ in
        answer("200 OK", ["Cache-Control: max-age=9"], "a")
    }

    @Test func `The origin gets an ID that is in the log, and never the client's own`() async throws {
        let run = try await RunningGateway.logging { _ in
            answer("200 OK", ["Cache-Control: no-store"], "a")
        } _: { gateway async throws in
            for fields in [[], ["X-Request-Id: mine"], ["X_Request_Id: mine"]] {
                let answer = try await gateway.send("GET", "/a", fields)
                #expect(answer["X-Request-Id"] == nil)
            }
        }
        let sent = run.requests.map { $0.fields[values: .xRequestID] }
        #expect(sent.count == 3 && sent.allSatisfy { $0.count == 1 })
        let ids = sent.flatMap { $0 }
        #expect(Set(ids).count == 3 && !ids.contains("mine"))
        #expect(run.log.map(\.requestId) == ids)
    }

    private static let plain = "0f3c-A_9.~+/=:@"

    @Test func `A trusted proxy's ID is kept if it is short and plain`() async throws {
        let values = [Self.plain, "two words", String(repeating: "x", count: 129), "\u{E9}"]
        let run = try await RunningGateway.logging(options: Self.trusting, answering: Self.fresh) {
            gateway async throws in
            for (number, value) in values.enumerated() {
                // The second request is a hit that is answered at once.
                for _ in 0..<2 {
                    let fields = ["X-Request-Id: \(value)", "X-Forwarded-For: 203.0.113.9"]
                    _ = try await gateway.send("GET", "/\(number)", fields)
                    await gateway.gateway.cache.idle()
                }
            }
        }
        #expect(run.requests.first?["X-Request-Id"] == Self.plain)
        let ids = run.log.compactMap(\.requestId)
        #expect(ids.prefix(2) == [Self.plain, Self.plain])
        let made = ids.dropFirst(2)
        #expect(Set(made).count == 6 && Set(made).isDisjoint(with: values))
        #expect(run.log.map(\.result) == ["miss", "hit", "miss", "hit", "miss", "hit", "miss", "hit"])
        #expect(Set(run.log.map(\.client)) == ["203.0.113.9"])
    }

    @Test func `A valid trace is forwarded unchanged and logged, also for hits, and an invalid one is not forwarded`()
        async throws
    {
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01"
        let traces = [Self.trace, later, zero].map { ["traceparent: \($0)", "tracestate: a=b"] }
        let others = [["tracestate: a=b"], ["traceparent: \(Self.trace)", "traceparent: \(Self.trace)"]]
        let run = try await RunningGateway.logging(answering: Self.fresh) { gateway async throws in
            try await Wire.open(to: gateway.port) { wire async throws in
                for (number, fields) in (traces + others).enumerated() {
                    for _ in 0..<3 {
                        try await wire.send("GET", "/\(number)", fields)
                        _ = try await wire.answer()
                        await gateway.gateway.cache.idle()
                    }
                }
            }
        }
        #expect(run.requests.map { $0["traceparent"] } == [Self.trace, later, nil, nil, nil])
        #expect(run.requests.map { $0["tracestate"] } == ["a=b", "a=b", nil, nil, nil])
        let id = "4bf92f3577b34da6a3ce929d0e0e4736"
        #expect(run.log.map(\.traceId) == Array(repeating: id, count: 6) + Array(repeating: nil, count: 9))
        #expect(run.log.map(\.result) == (0..<5).flatMap { _ in ["miss", "hit", "hit"] })
    }

    private static let valid = [
        trace, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", trace.replacing("00-4", with: "fe-4") + "-",
    ]

    private static let invalid = [
        "", "00", "00-", "0-", trace + "-", trace + "0", String(trace.dropLast()), trace.uppercased(),
        trace.replacing("00-4", with: "ff-4"), trace.replacing("00-4", with: "0x-4"), " " + trace,
        trace.replacing("-00f067aa0ba902b7", with: "-0000000000000000"), trace.replacing("bf9", with: "bg9"),
        trace.replacing("-01", with: "-0x"), trace.replacing("-01", with: "_01"), "00_" + trace.dropFirst(3),
        "01-" + String(repeating: "x", count: 510),
    ]

    @Test func `A traceparent is valid as the specification says`() {
        for text in Self.valid { #expect(TraceParent(text)?.traceID == "4bf92f3577b34da6a3ce929d0e0e4736", "\(text)") }
        for text in Self.invalid { #expect(TraceParent(text) == nil, "\(text)") }
        // Of a later version, only the version is examined.
        #expect(TraceParent("01-anything").map { $0.traceID == nil } == true)
    }

    @Test func `Any text is read as a traceparent without a fault`() {
        var generator = SeededGenerator(for: "RequestIDTests")
        for _ in 0..<20_000 {
            var bytes = Array(Self.trace.utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes = Array(bytes.prefix(Int.random(in: 0...60, using: &generator)))
            let text = String(decoding: bytes, as: UTF8.self)
            if let id = TraceParent(text)?.traceID {
                #expect(id.utf8.count == 32 && id.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) })
            }
        }
    }

    @Test(arguments: ["X-Request-Id", "traceparent", "TraceState"])
    func `A response that varies by an ID is not stored`(_ field: String) async throws {
        let run = try await RunningGateway.logging { _ in
            answer("200 OK", ["Cache-Control: max-age=9", "Vary: Accept, \(field)"], "a")
        } _: { gateway async throws in
            for _ in 0..<2 { _ = try await gateway.send("GET", "/a") }
        }
        #expect(run.requests.count == 2 && run.log.map(\.result) == ["miss", "miss"])
    }

    @Test func `IDs are unique, also among gateways`() {
        let (one, other) = (RequestIDs(), RequestIDs())
        let ids = (0..<1_000).flatMap { _ in [one.next(), other.next()] }
        #expect(Set(ids).count == 2_000 && ids.allSatisfy { RequestIDs.accepted($0) == $0 })
    }

    // MARK: - The gateway's own log

    @Test func `Lines about one request have its ID, those of admin requests too`() async throws {
        let record = LogRecord(showsContext: true)
        let logger = record.logger(with: .gatewayRequest)
        let log = try await LogFolder.run { folder async throws in
            try await RunningGateway.run(before: "http://127.0.0.1:1", logger: logger) {
                $0.accessLog = .file(folder.path("log"))
                $0.accessLogFormat = .json
            } _: { gateway async throws in
                _ = try await gateway.send("GET", "/a")
                _ = try await gateway.send("PURGE", "/a")
                _ = try await gateway.send("DELETE", "/-/larder/tags/a")
                _ = try await gateway.send("GET", "/-/larder/nothing")
                _ = try await gateway.send("GET", "/-/larder/health")
            }
            return try folder.lines("log").map { try LoggedRequest($0) }
        }
        let ids = log.compactMap(\.requestId)
        #expect(ids.count == 5)
        let lines = record.lines.filter { $0.contains("request-id=") }
        let expected = [
            "error An origin is down", "info Admin request", "info Admin request", "warning An admin request",
        ]
        #expect(lines.count == 4, "\(record.lines)")
        for (place, (line, start)) in zip(lines, expected).enumerated() {
            #expect(line.hasPrefix(start) && line.contains("request-id=\(ids[place])"), "\(line)")
        }
    }

    @Test func `At level debug each request has a line, in the gateway and in the cache`() async throws {
        let record = LogRecord(from: .debug, showsContext: true)
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=60"], "a")
        } _: { origin async throws in
            try await RunningGateway.run(before: origin.url, logger: record.logger(with: .gatewayRequest)) {
                gateway async throws in
                try await Wire.open(to: gateway.port) { wire async throws in
                    for _ in 0..<3 {
                        try await wire.send("GET", "/a", ["User-Agent: x"])
                        _ = try await wire.answer()
                        await gateway.gateway.cache.idle()
                    }
                }
                let refused = try await gateway.exchange(method: "TRACE")
                #expect(refused.status == 405)
            }
            let lines = record.lines("A client's request was answered")
            #expect(lines.count == 4, "\(record.lines)")
            let parts = [
                ["client=127.0.0.1", "request=GET /a", "result=miss", "reason=uri-miss", "route=default"],
                ["result=hit", "route=default", "status=200"], ["result=hit", "duration="],
                ["result=none", "reason=http_request_denied", "status=405", "request=TRACE /"],
            ]
            for (line, parts) in zip(lines, parts) {
                #expect((parts + ["request-id="]).allSatisfy(line.contains), "\(line)")
            }
            let answered = record.lines("debug A request was answered")
            #expect(answered.count == 3 && answered[0].contains("request-id=") && answered[0].contains("key=GET:http"))
            #expect(record.lines("debug A response was stored").count == 1)
        }
    }
}
