import LarderTestSupport
import TestHelpers
import Testing

/// The requests that are sent twice: those without content and with an idempotent method, if the origin closed their
/// connection before it can have seen them.
@Suite(.timeLimit(.minutes(5))) struct RetryTests {
    /// The way in which an origin ends a connection.
    enum End: String, CaseIterable {
        case close
        case reset
    }

    private static func end(_ connection: ScriptedOrigin.Connection, _ end: End) async throws {
        switch end {
        case .close: try await connection.close()
        case .reset: try await connection.reset()
        }
    }

    /// Returns the response to a request that was sent on a reused connection, and all requests that the origin saw.
    /// - Parameters:
    ///   - onReused: The script for the request on the reused connection.
    ///   - onFresh: The script for requests on all other connections.
    private func meet(
        _ method: String = "GET",
        body: String? = nil,
        onReused: @escaping ScriptedOrigin.Script,
        onFresh: @escaping ScriptedOrigin.Script = { try await $0.send(answer("200 OK", [], "again")) }
    ) async throws -> (answer: Exchange.Answer, seen: [ScriptedOrigin.Received]) {
        // On a slow machine the gateway may close an idle connection before the next request is sent.
        for _ in 0..<50 {
            let (second, seen) = try await ScriptedOrigin.run { connection in
                if connection.number == 0 {
                    guard try await connection.request() != nil else { return }
                    try await connection.send(answer("200 OK", ["Cache-Control: no-store"], "first"))
                    guard try await connection.head() != nil else { return }
                    return try await onReused(connection)
                }
                while try await connection.head() != nil { try await onFresh(connection) }
            } _: { origin in
                try await RunningGateway.run(before: origin.url) { gateway in
                    #expect(try await gateway.send("GET", "/first").text == "first")
                    let length = body.map { "Content-Length: \($0.utf8.count)" } ?? "X-Nothing: a"
                    let target = "/second?a=%E9"
                    let second = try await gateway.exchange(length, method: method, target: target, body: body ?? "")
                    return (second, origin.requests)
                }
            }
            #expect(seen.allSatisfy { !$0.head.lowercased().contains("attempt") })
            if seen.count > 1, seen[1].connection == 0 { return (second, seen) }
        }
        throw Timeout(description: "No connection was used twice")
    }

    @Test(arguments: ["GET", "HEAD", "POST", "DELETE"], End.allCases)
    func `A request that fails on a new connection is sent once`(_ method: String, _ end: End) async throws {
        try await ScriptedOrigin.run { connection in
            guard try await connection.head() != nil else { return }
            try await Self.end(connection, end)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let answer = try await gateway.exchange(method: method)
                #expect(answer.status == 502 && answer["Proxy-Status"] == "Larder; error=connection_terminated")
                #expect(answer.body.isEmpty == (method == "HEAD"))
                #expect(origin.requests.count == 1)
            }
        }
    }

    @Test(arguments: ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"], End.allCases)
    func `A request without content is sent again on a new connection`(_ method: String, _ end: End) async throws {
        let (answer, seen) = try await meet(
            method,
            body: method == "PUT" ? "" : nil,
            onReused: { try await Self.end($0, end) }
        )
        #expect(answer.status == 200 && answer.body == (method == "HEAD" ? "" : "again"))
        #expect(seen.map(\.target) == ["/first", "/second?a=%E9", "/second?a=%E9"])
        #expect(seen.map(\.method) == ["GET", method, method])
        #expect(seen.map(\.connection) == [0, 0, 1])
    }

    @Test(arguments: End.allCases)
    func `A request that fails twice in a row is not sent a third time`(_ end: End) async throws {
        let (answer, seen) = try await meet(
            onReused: { try await Self.end($0, end) },
            onFresh: { try await Self.end($0, end) }
        )
        #expect(answer.status == 502 && answer["Proxy-Status"] == "Larder; error=connection_terminated")
        #expect(seen.map(\.connection) == [0, 0, 1])
    }

    @Test(
        arguments: [("POST", ""), ("POST", "content"), ("PATCH", ""), ("PUT", "content"), ("DELETE", "content")],
        End.allCases
    )
    func `A request with content, or whose method is not idempotent, is sent once`(
        _ request: (method: String, content: String),
        _ end: End
    ) async throws {
        let (answer, seen) = try await meet(
            request.method,
            body: request.content,
            onReused: { try await Self.end($0, end) }
        )
        #expect(answer.status == 502 && answer["Proxy-Status"] == "Larder; error=connection_terminated")
        #expect(seen.map(\.method) == ["GET", request.method])
    }

    @Test(arguments: ["H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n", "x"])
    func `A request whose response has begun is sent once`(_ beginning: String) async throws {
        let (answer, seen) = try await meet(onReused: { try await $0.send(beginning) })
        #expect(answer.status == 502)
        #expect(seen.map(\.connection) == [0, 0])
    }

    @Test(arguments: [20, 21])
    func `A response that is stale for longer than fresh is served after a second try`(_ age: Int) async throws {
        for _ in 0..<50 {
            let clock = ManualClock()
            let (second, seen) = try await ScriptedOrigin.run { connection in
                let isFirst = connection.number == 0
                for count in 1... {
                    guard try await connection.head() != nil else { return }
                    if isFirst, count == 2 { return try await connection.close() }
                    try await connection.send(answer("200 OK", ["Cache-Control: max-age=10"], "\(connection.number)"))
                }
            } _: { origin in
                try await RunningGateway.run(before: origin.url, clock: clock.clock) { gateway in
                    #expect(try await gateway.send("GET", "/").text == "0")
                    clock.advance(by: .seconds(age))
                    return (try await gateway.send("GET", "/"), origin.requests)
                }
            }
            guard seen.count > 1, seen[1].connection == 0 else { continue }
            #expect(second.text == (age == 20 ? "0" : "1"))
            #expect(seen.map(\.connection) == (age == 20 ? [0, 0] : [0, 0, 1]))
            return
        }
        throw Timeout(description: "No connection was used twice")
    }

    @Test func `A request whose response breaks off in the body is sent once`() async throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody"
        let (answer, seen) = try await meet(onReused: { try await $0.send(text) })
        #expect(answer.status == 200 && !answer.isWhole)
        #expect(seen.map(\.connection) == [0, 0])
    }
}
