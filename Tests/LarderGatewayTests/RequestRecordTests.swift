import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

/// What the record of a request says, for every way in which a request can end.
@Suite(.timeLimit(.minutes(5))) struct RequestRecordTests {
    private static let routes = """
        routes:
          - path: /swr/**
            stale-while-revalidate: 1h
          - path: /sie/**
            stale-if-error: 1h
          - path: /private/**
            bypass: {cookies: [session]}
        """

    private static let fresh = ["Cache-Control: max-age=10"]

    /// Sends requests on one connection, and waits for the background work after each.
    private static func send(_ requests: [(String, String, [String])], to gateway: RunningGateway) async throws {
        try await Wire.open(to: gateway.port) { wire async throws in
            for (method, target, fields) in requests {
                try await wire.send(method, target, fields)
                _ = try await wire.answer(hasBody: method != "HEAD")
                await gateway.gateway.cache.idle()
            }
        }
    }

    @Test func `A record has the result, the reason, the route and the origin of each kind of answer`() async throws {
        let time = ManualClock()
        let fails = NIOLockedValueBox(false)
        let run = try await RunningGateway.logging(file: Self.routes, clock: time.clock) { request in
            if fails.withLockedValue({ $0 }) { return answer("503 Service Unavailable", [], "down") }
            let isStored = request.target != "/no"
            return answer("200 OK", isStored ? Self.fresh : ["Cache-Control: no-store"], isStored ? "content" : "no")
        } _: { gateway async throws in
            let first: [(String, String, [String])] = [
                ("GET", "/a?b", ["User-Agent: curl", "Referer: http://r/"]), ("GET", "/a?b", []),
                ("GET", "/a?b", []), ("HEAD", "/a?b", []), ("GET", "/no", []), ("GET", "/swr/a", []),
                ("GET", "/sie/a", []), ("GET", "/private/a", ["Cookie: session=1"]), ("POST", "/a", []),
            ]
            try await Self.send(first, to: gateway)
            time.advance(by: .seconds(15))
            try await Self.send([("GET", "/swr/a", [])], to: gateway)
            time.advance(by: .seconds(5))
            fails.withLockedValue { $0 = true }
            try await Self.send([("GET", "/swr/a", []), ("GET", "/sie/a", [])], to: gateway)
            time.advance(by: .milliseconds(100))
            try await Self.send([("GET", "/sie/a", []), ("OPTIONS", "/b", [])], to: gateway)
        }
        let log = run.log
        let outcomes = [
            "miss uri-miss", "hit", "hit", "hit", "miss uri-miss no-store", "miss uri-miss", "miss uri-miss",
            "bypass bypass rule", "write method", "stale stale-while-revalidate", "hit",
            "stale stale stale-if-error", "stale stale-if-error", "bypass method method",
        ]
        try #require(log.map(\.outcome) == outcomes)
        let routes = ["/swr/**", "/sie/**", "/private/**", "default", "/swr/**", "/swr/**", "/sie/**", "/sie/**"]
        #expect(log.map(\.route) == Array(repeating: "default", count: 5) + routes + ["default"])
        #expect(log.map(\.bytes) == [7, 7, 7, 0, 2, 7, 7, 7, 7, 7, 7, 7, 7, 4])
        #expect(log.map(\.ageS) == [nil, 0, 0, 0, nil, nil, nil, nil, nil, 15, 5, 20, 20, nil])
        // The origin was asked for these responses, and not for the refresh behind a stale one.
        let asked = [0, 4, 5, 6, 7, 8, 11, 13]
        for (place, request) in log.enumerated() {
            let wasAsked = asked.contains(place)
            #expect(request.origin == (wasAsked ? run.origin : nil), "\(place): \(request)")
            #expect((request.originMs != nil) == wasAsked, "\(place): \(request)")
            #expect(request.client == "127.0.0.1" && request.version == "HTTP/1.1" && request.host == "localhost")
            let first = try #require(request.firstByteMs)
            #expect(0 <= first && first <= request.durationMs, "\(request)")
            if let time = request.originMs { #expect(0 < time && time <= first, "\(request)") }
        }
        #expect(log.map(\.status) == Array(repeating: 200, count: 13) + [503])
        #expect(log[0].target == "/a?b" && log[0].userAgent == "curl" && log[0].referer == "http://r/")
        #expect(log[1].userAgent == nil && log[1].referer == nil)
        #expect(log[0].time == "2027-01-15T08:00:00.000Z" && log[9].time == "2027-01-15T08:00:15.000Z")
        #expect(Set(log.map(\.requestId)).count == log.count)
    }

    @Test func `A collapsed request names no origin, since another one asked`() async throws {
        let gate = Gate()
        defer { gate.open() }
        let run = try await RunningGateway.logging { _ in
            await gate.pass()
            return answer("200 OK", Self.fresh, "content")
        } _: { gateway async throws in
            async let first = gateway.send("GET", "/a")
            await gate.reached()
            async let second = gateway.send("GET", "/a")
            try await eventually("the second one waits") { gateway.gateway.cache.waiterCount == 1 }
            gate.open()
            _ = try await (first, second)
        }
        let collapsed = try #require(run.log.first { $0.result == "collapsed" })
        let miss = try #require(run.log.first { $0.result == "miss" })
        #expect(run.log.count == 2 && collapsed.origin == nil && miss.origin == run.origin)
    }

    @Test func `An origin that fails is an error with its type, and the client gets the ID of the request`()
        async throws
    {
        let id = NIOLockedValueBox<String?>(nil)
        let log = try await RunningGateway.logging(before: "http://127.0.0.1:1") { gateway async throws in
            let answer = try await gateway.send("GET", "/a")
            #expect(answer.status == 502)
            id.withLockedValue { $0 = answer["X-Request-Id"] }
        }
        #expect(log.count == 1 && log[0].status == 502 && log[0].result == "error", "\(log)")
        #expect(log[0].reason == "connection_refused" && log[0].detail?.isEmpty == false)
        #expect(log[0].origin == "http://127.0.0.1:1" && log[0].originMs == nil && log[0].route == "default")
        #expect(id.withLockedValue { $0 } != nil && log[0].requestId == id.withLockedValue { $0 })
    }

    private static let refused: [(String, Int, String)] = [
        ("GET /a HTTP/1.1\r\n\r\n", 400, "none http_request_error"),
        ("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "none http_request_error The Host field is not a valid"),
        ("GET /a HTTP/1.1\r\nHost: other\r\n\r\n", 421, "none http_request_error host not served"),
        ("GET /a/..%2Fb HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "none http_request_error ambiguous path"),
        ("TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "none http_request_denied method"),
        ("BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "none http_request_error This method is not supported"),
        ("\u{16}\u{3}\u{1}\r\n\r\n", 400, "none http_request_error This is not a valid HTTP/1.1 request"),
        (
            "GET /a HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 3_000))\r\n\r\n", 431,
            "none http_request_error The header fields exceed the limit of 2048 bytes or 1000 fields"
        ),
        (
            "GET /\(String(repeating: "a", count: 3_000)) HTTP/1.1\r\nHost: localhost\r\n\r\n", 414,
            "none http_request_error The target is longer than the limit of 2048 bytes"
        ),
        ("GET /-/larder/metrics/cache HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "none admin"),
        ("PURGE /a HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "none purge"),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "none gateway"),
    ]

    @Test func `Refused requests, and those for the gateway itself, have a reason, an ID and no route`() async throws {
        let run = try await RunningGateway.logging {
            $0.headerLimit = .kibibytes(2)
            $0.paths = .reject
            $0.hosts = [ServedHost("localhost")].compactMap(\.self)
        } answering: { _ in
            answer()
        } _: { gateway async throws in
            for (text, status, _) in Self.refused {
                let closing = text.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n")
                let exchange = try await Exchange.send(Array(closing.utf8), to: gateway.port)
                #expect(exchange.statuses == [status], "\(text.prefix(80))")
            }
        }
        try #require(run.log.map(\.status) == Self.refused.map { $0.1 })
        for (request, (text, _, outcome)) in zip(run.log, Self.refused) {
            #expect(request.outcome.hasPrefix(outcome), "\(text.prefix(80)): \(request.outcome)")
            #expect(request.route == nil && request.origin == nil && request.requestId != nil)
        }
        #expect(run.log[6].method == nil && run.log[6].target == nil && run.log[6].version == nil)
        #expect(run.requests.isEmpty)
    }

    @Test func `Of a client that left there is one record, with the status 499`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.answering { _ in
            await gate.pass()
            return answer("200 OK", ["Cache-Control: no-store"], "content")
        } _: { origin async throws in
            try await LogFolder.run { folder async throws in
                try await RunningGateway.run(before: origin.url) {
                    $0.accessLog = .file(folder.path("log"))
                    $0.accessLogFormat = .json
                } _: { gateway async throws in
                    try await Wire.open(to: gateway.port) { wire async throws in
                        try await wire.send("POST", "/a", body: "x")
                        await gate.reached()
                    }
                    try await eventually("the request is logged") { !folder.lines("log").isEmpty }
                    gate.open()
                }
                let log = try folder.lines("log").map { try LoggedRequest($0) }
                #expect(log.map(\.status) == [499] && log.map(\.outcome) == ["none client-left"])
                #expect(log[0].target == "/a" && log[0].route == "default" && log[0].firstByteMs == nil)
                #expect(log[0].origin == origin.url && log[0].originMs == nil)
            }
        }
    }

    @Test func `A response that breaks off has one record, with the bytes that were written`() async throws {
        try await ScriptedOrigin.run { connection in
            guard try await connection.request() != nil else { return }
            try await connection.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + String(repeating: "x", count: 40_000)
            )
        } _: { origin async throws in
            let log = try await RunningGateway.logging(before: origin.url) { gateway async throws in
                let exchange = try await Exchange.send(
                    Array("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".utf8),
                    to: gateway.port
                )
                #expect(exchange.answers.first?.isWhole != true)
            }
            #expect(log.map(\.status) == [200] && log[0].bytes <= 40_000 && log[0].result == "write", "\(log)")
        }
    }

    @Test func `Requests over HTTP/2 have the same records, answered at once or not`() async throws {
        let large = String(repeating: "x", count: 10_000)
        let log = try await Certificate.run { certificate async throws in
            try await RunningGateway.logging {
                $0.certificate = .init(certificate)
            } answering: { request in
                answer("200 OK", Self.fresh, request.target == "/large" ? large : "content")
            } _: { gateway async throws in
                try await HTTP2Wire.open(to: gateway.port) { wire async throws in
                    for target in ["/a", "/a", "/large", "/large"] {
                        _ = try await wire.send("GET", target, [("user-agent", "two")])
                        await gateway.gateway.cache.idle()
                    }
                    _ = try await wire.send("TRACE", "/a")
                }
            }.log
        }
        let outcomes = ["miss uri-miss", "hit", "miss uri-miss", "hit", "none http_request_denied method"]
        #expect(log.map(\.outcome) == outcomes)
        #expect(log.prefix(4).map(\.bytes) == [7, 7, 10_000, 10_000])
        #expect(log.allSatisfy { $0.version == "HTTP/2.0" && $0.requestId != nil })
        #expect(log.prefix(4).allSatisfy { $0.userAgent == "two" && $0.route == "default" })
    }
}
