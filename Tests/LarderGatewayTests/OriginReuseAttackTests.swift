import Larder
import LarderGateway
import NIOCore
import TestHelpers
import Testing

/// Requests whose content an origin takes for the next request of its connection (a "CL.0" fault).
@Suite(.timeLimit(.minutes(5))) struct OriginReuseAttackTests {
    /// Content that makes the next request on the connection a header field of a request for `/evil`.
    private static let prefix = "GET /evil HTTP/1.1\r\nX-Ignore: "

    /// Returns an origin that does not read content, and responds with the target of the request.
    private static func ignoringContent(_ status: String) -> ScriptedOrigin.Script {
        { connection in
            while let request = try await connection.head() {
                let fields = ["Cache-Control: max-age=60", "Allow: GET"]
                let isAttack = request.target == "/attack"
                let body = request.method == "HEAD" ? "" : request.target
                try await connection.send(answer(isAttack ? status : "200 OK", fields, body))
            }
        }
    }

    @Test(arguments: [
        ("GET", "200 OK"), ("HEAD", "200 OK"), ("OPTIONS", "200 OK"), ("DELETE", "200 OK"), ("REPORT", "200 OK"),
        ("GET", "404 Not Found"), ("POST", "301 Moved Permanently"), ("POST", "404 Not Found"),
        ("PUT", "405 Method Not Allowed"), ("PATCH", "500 Internal Server Error"),
    ])
    func `Content does not become the beginning of another client's request`(
        _ method: String,
        _ status: String
    ) async throws {
        try await ScriptedOrigin.run(Self.ignoringContent(status)) { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for number in 0..<5 {
                    let attack = try await gateway.send(method, "/attack", body: Self.prefix)
                    #expect("\(attack.status)" == status.prefix(3))
                    #expect(try await gateway.send("GET", "/page/\(number)").text == "/page/\(number)")
                    #expect(try await gateway.send("GET", "/page/\(number)").text == "/page/\(number)")
                }
                #expect(origin.requests.allSatisfy { $0.target != "/evil" })
            }
        }
    }

    @Test(arguments: ["GET", "HEAD", "OPTIONS", "DELETE"], ["Content-Length: 3", "Transfer-Encoding: chunked"])
    func `A connection that carried content without a meaning is not used again`(
        _ method: String,
        _ framing: String
    ) async throws {
        try await ScriptedOrigin.answering { request in
            answer("200 OK", [], request.method == "HEAD" ? "" : request.head)
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    for number in 1...3 {
                        try await wire.send(method, "/\(number)", [framing])
                        let content = framing.hasPrefix("C") ? "abc" : "3\r\nabc\r\n0\r\n\r\n"
                        try await wire.send(bytes: Array(content.utf8))
                        #expect(try await wire.answer(hasBody: method != "HEAD").status == 200)
                        #expect(origin.connections == number)
                    }
                }
                #expect(origin.requests.allSatisfy { $0.body == "abc" && $0["Connection"] == "close" })
            }
        }
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "GET"]) func `A connection whose content was read is used again`(
        _ method: String
    ) async throws {
        try await ScriptedOrigin.answering { _ in
            answer()
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                // Idle connections are closed after a while, which a busy machine may take between two requests.
                try await eventually("a connection is used again") {
                    _ = try? await gateway.send(method, "/", body: method == "GET" ? nil : "abc")
                    return origin.connections < origin.requests.count
                }
                #expect(origin.requests.allSatisfy { $0["Connection"] == nil })
            }
        }
    }

    @Test func `A connection whose response came before the content was complete is not used again`() async throws {
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                try await connection.send(answer("200 OK", [], request.target))
                if request.method == "POST" { try await connection.content(of: request) { _ in } }
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.spoolLimit = .bytes(0)
            } _: { gateway in
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("POST", "/early", ["Content-Length: 6"])
                    try await wire.send(bytes: Array("abc".utf8))
                    // The gateway has received the response when it sends it.
                    #expect(try await wire.answer().text == "/early")
                    try await wire.send(bytes: Array("def".utf8))
                    #expect(try await gateway.send("GET", "/next").text == "/next")
                }
                #expect(origin.connections == 2)
            }
        }
    }
}
