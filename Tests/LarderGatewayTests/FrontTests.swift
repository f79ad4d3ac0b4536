import AsyncHTTPClient
import HTTPTypes
import LarderGateway
import NIOConcurrencyHelpers
import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOSSL
import TestHelpers
import Testing

/// The protocols that clients can use if the gateway has a certificate.
@Suite(.timeLimit(.minutes(5))) struct FrontTests {
    /// Runs a gateway with a certificate before an origin that answers every request.
    static func run(
        _ answer: @escaping @Sendable (ScriptedOrigin.Received) async throws -> String,
        _ test: @Sendable (RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await run(before: ScriptedOrigin.answers(answer), test)
    }

    /// Runs a gateway with a certificate before an origin that follows a script.
    private static func run(
        before script: @escaping ScriptedOrigin.Script,
        options: [String: String] = [:],
        _ test: @Sendable (RunningGateway, ScriptedOrigin) async throws -> Void
    ) async throws {
        try await Certificate.run { certificate in
            try await ScriptedOrigin.run(script) { origin in
                try await RunningGateway.run(before: origin.url, options: options) {
                    $0.certificate = .init(certificate)
                } _: { gateway in
                    try await test(gateway, origin)
                }
            }
        }
    }

    @Test(arguments: [HTTPVersion.http1_1, .http2]) func `Both versions of HTTP are served over TLS`(
        _ version: HTTPVersion
    ) async throws {
        try await Self.run { request in
            answer("200 OK", ["Cache-Control: max-age=60"], request.fields[.xForwardedProto] ?? "")
        } _: { gateway, origin in
            var configuration = HTTPClient.Configuration()
            configuration.httpVersion = version == .http2 ? .automatic : .http1Only
            configuration.tlsConfiguration = .makeClientConfiguration()
            configuration.tlsConfiguration?.certificateVerification = .none
            try await HTTPClient.withHTTPClient(configuration: configuration) { client in
                let request = HTTPClientRequest(url: "https://127.0.0.1:\(gateway.port)/a")
                for isHit in [false, true] {
                    let response = try await client.execute(request, timeout: .seconds(60))
                    #expect(response.version == version && response.status == .ok)
                    #expect(response.headers.first(name: "Cache-Status")?.contains("; hit") == isHit)
                    #expect(String(buffer: try await response.body.collect(upTo: 1_000)) == "https")
                }
            }
            #expect(origin.requests.count == 1)
        }
    }

    @Test func `In HTTP/2 field names are in lower case, and each Set-Cookie has a separate line`() async throws {
        try await Self.run { _ in
            answer(
                "200 OK",
                [
                    "Set-Cookie: a=1", "SET-COOKIE: b=2; Path=/", "X-Mixed-Case: One", "Connection: keep-alive, X-Hop",
                    "Keep-Alive: timeout=5", "X-Hop: 1",
                ],
                "body"
            )
        } _: { gateway, _ in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                let response = try await wire.send("GET", "/a")
                #expect(response.status == "200" && response.text == "body")
                #expect(response.fields["set-cookie"] == ["a=1", "b=2; Path=/"])
                #expect(response.fields["x-mixed-case"] == ["One"])
                for name in response.fields.map(\.name) { #expect(name == name.lowercased()) }
                for name in ["connection", "keep-alive", "x-hop", "transfer-encoding"] {
                    #expect(!response.fields.contains(name: name), "\(name)")
                }
            }
        }
    }

    @Test func `A cookie that was sent in parts reaches the origin as one field`() async throws {
        try await Self.run { _ in
            answer()
        } _: { gateway, origin in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                _ = try await wire.send("GET", "/a", [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")])
            }
            #expect(origin.requests.first?.fields[values: .cookie] == ["a=1; b=2; c=3"])
        }
    }

    @Test func `A Host that differs from the authority is refused`() async throws {
        try await Self.run { _ in
            answer()
        } _: { gateway, origin in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                let refusal = try await wire.send("GET", "/a", [("host", "evil.example")])
                #expect(refusal.status == "400")
                #expect(try await wire.send("GET", "/a", [("host", "LOCALHOST")]).status == "200")
            }
            #expect(origin.requests.count == 1)
        }
    }

    /// Checks the requests without a length that the origin receives.
    @Test(arguments: ["GET", "DELETE", "POST", "PUT", "PATCH"], ["", "content"])
    func `Content without a length reaches the origin, and a request without content stays without it`(
        _ method: String,
        _ body: String
    ) async throws {
        let bodies = NIOLockedValueBox<[String]>([])
        try await Self.run { request in
            bodies.withLockedValue { $0.append(request.body) }
            return answer("200 OK", ["Cache-Control: max-age=60"], request.body)
        } _: { gateway, origin in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                for _ in 0..<2 {
                    let response = try await wire.stream { stream in
                        try await stream.send(method, "/a", ends: body.isEmpty)
                        if !body.isEmpty { try await stream.send(ByteBuffer(string: body), ends: true) }
                        return try await stream.answer()
                    }
                    #expect(response.status == "200" && response.text == body, "\(response)")
                }
            }
            let request = try #require(origin.requests.first)
            #expect(bodies.withLockedValue { $0.allSatisfy { $0 == body } })
            #expect((request.fields[.transferEncoding] == "chunked") == !body.isEmpty)
            #expect(request.fields[.contentLength] == (body.isEmpty && method.hasPrefix("P") ? "0" : nil))
            // A GET with content is not answered from the cache.
            #expect(origin.requests.count == (method == "GET" && body.isEmpty ? 1 : 2))
        }
    }

    @Test func `Content with a length is forwarded with it`() async throws {
        try await Self.run { request in
            answer("200 OK", [], request.body)
        } _: { gateway, origin in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                let response = try await wire.stream { stream in
                    try await stream.send("POST", "/a", [("content-length", "7")], ends: false)
                    try await stream.send(ByteBuffer(string: "con"))
                    try await stream.send(ByteBuffer(string: "tent"), ends: true)
                    return try await stream.answer()
                }
                #expect(response.text == "content")
            }
            #expect(origin.requests.first?.fields[.contentLength] == "7")
        }
    }

    @Test func `A reset stream does not look complete to the origin, and the next one is served`() async throws {
        let ends = NIOLockedValueBox<[String]>([])
        try await Self.run(
            before: { connection in
                while let request = try await connection.head() {
                    guard request.method == "POST" else { return try await connection.send(answer()) }
                    do {
                        try await connection.content(of: request) { _ in }
                        ends.withLockedValue { $0.append("whole") }
                    } catch {
                        ends.withLockedValue { $0.append("broken off") }
                        throw error
                    }
                }
            },
            options: ["spool-limit": "0"]
        ) { gateway, origin in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                try await wire.stream { stream in
                    try await stream.send("POST", "/a", ends: false)
                    try await stream.send(ByteBuffer(string: "some"))
                    try await eventually("the origin is asked") { origin.requests.count == 1 }
                    try await stream.cancel()
                }
                try await eventually("the origin has noticed the end") { !ends.withLockedValue { $0.isEmpty } }
                #expect(try await wire.send("GET", "/b").status == "200")
            }
            #expect(ends.withLockedValue { $0 } == ["broken off"])
        }
    }

    @Test func `A response that is not stored ends at the origin when its stream is reset`() async throws {
        let ended = Gate()
        let chunk = ByteBuffer(string: "10000\r\n" + String(repeating: "x", count: 64 << 10) + "\r\n")
        try await Self.run(before: { connection in
            guard try await connection.head() != nil else { return }
            try await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            do { while true { try await connection.send(chunk) } } catch {}
            ended.open()
            await ended.pass()
        }) { gateway, _ in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                try await wire.stream { stream in
                    try await stream.send("GET", "/a", ends: true)
                    _ = try await stream.head()
                    try await stream.cancel()
                }
                await ended.reached()
            }
        }
    }

    @Test func `A signal to end lets the streams under way be answered`() async throws {
        let gate = Gate()
        try await Self.run { request in
            await gate.pass()
            return answer("200 OK", [], request.method)
        } _: { gateway, _ in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                try await withThrowingTaskGroup(of: HTTP2Wire.Answer.self) { group in
                    for number in 0..<4 { group.addTask { try await wire.send("GET", "/\(number)") } }
                    await gate.reached(by: 4)
                    await gateway.stop()
                    try await eventually("it does not accept connections any more") {
                        (try? await Wire.open(to: gateway.port) { _ in true }) == nil
                    }
                    gate.open()
                    for try await response in group { #expect(response.status == "200" && response.text == "GET") }
                }
            }
        }
    }

    @Test func `An origin may respond to a stream before it has received all content`() async throws {
        try await Self.run(
            before: { connection in
                guard let request = try await connection.head() else { return }
                try await connection.send(answer("413 Content Too Large", ["Connection: close"], request.method))
            },
            options: ["spool-limit": "0"]
        ) { gateway, _ in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                for _ in 0..<20 {
                    try await wire.stream { stream in
                        try await stream.send("POST", "/a", ends: false)
                        #expect(try await stream.head().first(name: ":status") == "413")
                        try await stream.send(ByteBuffer(string: "the rest"), ends: true)
                        #expect(try await stream.part().map { String(buffer: $0) } == "POST")
                    }
                }
            }
        }
    }
}

extension GatewaySettings.Certificate {
    init(_ files: Certificate) { self.init(certificate: files.certificate, privateKey: files.privateKey) }
}

extension HTTPField.Name {
    static let xForwardedProto = HTTPField.Name("X-Forwarded-Proto")!
}
