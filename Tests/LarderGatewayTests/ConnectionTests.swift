import NIOConcurrencyHelpers
import TestHelpers
import Testing

/// Connections on which a client or an origin sends too much, too little, or too early.
@Suite(.timeLimit(.minutes(5))) struct ConnectionTests {
    // MARK: - An origin that sends too much

    private static let evil = answer("200 OK", ["Cache-Control: max-age=600"], "evil")

    @Test(
        arguments: [
            answer("200 OK", [], "good"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n", answer(),
        ],
        [evil, String(evil.prefix(30)), "H", "\r\nH", "HTTP/1.1 103 Early Hints\r\n", "\0", "0"]
    )
    func `Bytes after a response are not the beginning of the next response`(
        _ good: String,
        _ excess: String
    ) async throws {
        try await ScriptedOrigin.run { connection in
            guard try await connection.request() != nil else { return }
            try await connection.send(connection.number == 0 ? good + excess : answer("200 OK", [], "right"))
            while try await connection.request() != nil { try await connection.send(answer("200 OK", [], "wrong")) }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let first = try await gateway.send("GET", "/first")
                #expect(first.status == 502 || first.status == 204, "\(first)")
                let second = try await gateway.send("GET", "/second")
                #expect(second.status == 200 && second.text == "right", "\(second)")
                #expect(origin.requests.map(\.connection) == [0, 1])
            }
        }
    }

    @Test(arguments: [answer("200 OK", [], "a body that HEAD has not"), "HTTP/1.1 200 OK\r\n\r\nbody", evil + evil])
    func `The body of a response to HEAD is not the response to the next request`(_ text: String) async throws {
        try await ScriptedOrigin.run { connection in
            guard try await connection.request() != nil else { return }
            try await connection.send(connection.number == 0 ? text : answer("200 OK", [], "right"))
            while try await connection.request() != nil { try await connection.send(answer("200 OK", [], "wrong")) }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let first = try await gateway.exchange(method: "HEAD")
                #expect(first.status == 200 && first.isWhole)
                #expect(try await gateway.send("GET", "/second").text == "right")
                #expect(origin.requests.map(\.connection) == [0, 1])
            }
        }
    }

    @Test(arguments: [evil, String(evil.prefix(30)), "H"])
    func `An origin that sends bytes without a request loses its connection`(_ unasked: String) async throws {
        let gate = Gate()
        let isClosed = NIOLockedValueBox(false)
        try await ScriptedOrigin.run { connection in
            guard try await connection.request() != nil else { return }
            try await connection.send(answer("200 OK", [], "right"))
            guard connection.number == 0 else { return }
            await gate.pass()
            // On a slow machine the gateway may have closed the connection already, because it is idle.
            defer { isClosed.withLockedValue { $0 = true } }
            try await connection.send(unasked)
            while (try? await connection.part()) ?? nil != nil {}
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                #expect(try await gateway.send("GET", "/first").text == "right")
                gate.open()
                try await eventually("the gateway closes the connection") { isClosed.withLockedValue { $0 } }
                #expect(try await gateway.send("GET", "/second").text == "right")
                #expect(origin.requests.map(\.connection) == [0, 1])
            }
        }
    }

    // MARK: - An origin that responds early

    @Test(arguments: [413, 200, 502], ["Content-Length: 20", "Transfer-Encoding: chunked"])
    func `An origin that responds before the content is complete does not delay the client`(
        _ status: Int,
        _ framing: String
    ) async throws {
        let isLeft = NIOLockedValueBox(false)
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                try await connection.send(answer("\(status) \(request.target)", [], request.target))
                guard request.method == "POST" else { continue }
                while (try? await connection.part()) ?? nil != nil {}
                isLeft.withLockedValue { $0 = true }
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, options: ["spool-limit": "0"]) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    let isChunked = framing.hasPrefix("Transfer")
                    let head = "POST /early HTTP/1.1\r\nHost: localhost\r\n\(framing)\r\n\r\n"
                    try await wire.send(bytes: Array((head + (isChunked ? "a\r\n0123456789\r\n" : "0123456789")).utf8))
                    let early = try await wire.answer()
                    #expect(early.status == status && early.text == "/early")
                    let rest = isChunked ? "a\r\n0123456789\r\n0\r\n\r\n" : "0123456789"
                    try await wire.send(bytes: Array(rest.utf8))
                    try await wire.send("GET", "/next")
                    #expect(try await wire.answer().text == "/next")
                }
                #expect(origin.requests.map(\.target) == ["/early", "/next"])
                // Incomplete content ends the connection, which no other request could use.
                try await eventually("the gateway closes the connection") { isLeft.withLockedValue { $0 } }
            }
        }
    }

    @Test func `An origin that disconnects during an upload does not end the gateway`() async throws {
        try await ScriptedOrigin.run { connection in
            guard let request = try await connection.head() else { return }
            if request.method == "GET" { try await connection.send(answer("200 OK", [], "well")) }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, options: ["spool-limit": "0"]) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send(
                        bytes: Array("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n12".utf8)
                    )
                    #expect(try await wire.answer().status == 502)
                    try await wire.send(bytes: Array("3456789".utf8))
                    try await wire.send("GET", "/")
                    #expect(try await wire.answer().text == "well")
                }
            }
        }
    }

    // MARK: - A client that sends too little

    @Test(arguments: [
        ("Content-Length: 20", "too few"), ("Transfer-Encoding: chunked", "a\r\n0123456789\r\n"),
        ("Transfer-Encoding: chunked", "a\r\n01234"), ("Transfer-Encoding: chunked", "5\r\nchunk\r\nxyz\r\n"),
        ("Transfer-Encoding: chunked", "5\r\nchunks\r\n0\r\n\r\n"), ("Transfer-Encoding: chunked", "-5\r\nchunk\r\n"),
    ])
    func `Content that breaks off is a 400, and never looks complete to the origin`(
        _ framing: String,
        _ content: String
    ) async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "whole")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let head = "POST / HTTP/1.1\r\nHost: localhost\r\n\(framing)\r\n\r\n"
                let exchange = try await Exchange.send(Array((head + content).utf8), to: gateway.port, closes: true)
                #expect(exchange.isEnded && exchange.statuses == [400], "\(exchange)")
                try await eventually("the request has ended") { origin.connections <= 1 }
                #expect(origin.requests.allSatisfy { $0.content == nil })
                // Nothing is left on the connection that could harm the next request.
                #expect(try await gateway.send("POST", "/", body: "whole").text == "whole")
                #expect(origin.requests.last?.content == "whole")
            }
        }
    }

    @Test func `Malformed content of an answered request does not get a second response`() async throws {
        try await RunningGateway.run(before: "http://127.0.0.1:1") { gateway in
            let text = "GET /-/larder/health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"
            let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
            #expect(exchange.isEnded && exchange.statuses == [200], "\(exchange)")
        }
    }

    // MARK: - A client that expects 100-continue

    @Test(arguments: ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
    func `A client that expects a 100 gets it, and its content arrives`(_ framing: String) async throws {
        let content = String(repeating: "0123456789", count: 100_000)
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], "\(request.body == content)")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    let head = "PUT / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-Continue\r\n\(framing)\r\n\r\n"
                    try await wire.send(bytes: Array(head.utf8))
                    #expect(try await wire.head().status == 100)
                    let isChunked = framing.hasPrefix("Transfer")
                    try await wire.send(bytes: Array((isChunked ? "F4240\r\n\(content)\r\n0\r\n\r\n" : content).utf8))
                    #expect(try await wire.answer().text == "true")
                    try await wire.send("PUT", "/", body: content)
                    #expect(try await wire.answer().text == "true")
                }
                #expect(origin.requests.allSatisfy { $0["Expect"] == nil })
            }
        }
    }
}
