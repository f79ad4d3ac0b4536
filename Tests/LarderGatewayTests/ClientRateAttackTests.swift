import Larder
import NIOConcurrencyHelpers
import NIOCore
import NIOHPACK
import TestHelpers
import Testing

@testable import LarderGateway

/// Clients that send or read more slowly than a gateway tolerates.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClientRateAttackTests {
    private static let chunk = ByteBuffer(string: "10000\r\n\(String(repeating: "x", count: 64 << 10))\r\n")

    private static func configure(_ settings: inout GatewaySettings) {
        settings.clientRate = .kibibytes(1)
        settings.clientRateTime = .milliseconds(500)
        settings.clientIdleTimeout = .seconds(600)
    }

    private static func answering(_ test: @Sendable (ScriptedOrigin) async throws -> Void) async throws {
        try await ScriptedOrigin.answering({ answer("200 OK", [], $0.target) }, test)
    }

    @Test(arguments: [
        ["POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc"],
        ["POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n", "abc"],
        ["PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"],
        ["POST /-/larder/ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc"],
    ])
    func `Content that is not sent is answered with 408, and ends the connection`(_ parts: [String]) async throws {
        try await Self.answering { origin in
            try await RunningGateway.run(before: origin.url, configure: Self.configure) { gateway in
                let exchange = try await Exchange.send(Array(parts.joined().utf8), to: gateway.port)
                #expect(exchange.isEnded)
                // A request that was answered before its content does not get another response.
                guard !parts[0].contains("larder") else { return }
                #expect(exchange.statuses == [408] && exchange.answers.last?["Connection"] == "close")
                #expect(origin.requests.isEmpty)
            }
        }
    }

    @Test(arguments: ["G", "GET / HTTP/1.1\r\nHost: local", "GET / HTTP/1.1\r\nHost: localhost\r\n"])
    func `An incomplete head is answered with 408`(_ text: String) async throws {
        try await Self.answering { origin in
            try await RunningGateway.run(before: origin.url, configure: Self.configure) { gateway in
                let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
                #expect(exchange.isEnded && exchange.statuses == [408])
                #expect(exchange.answers.last?["Connection"] == "close")
                // The same after another request.
                try await Wire.open(to: gateway.port) { wire in
                    try await wire.send("GET", "/first")
                    #expect(try await wire.answer().status == 200)
                    try await wire.send(bytes: Array(text.utf8))
                    #expect(try await wire.answer().status == 408)
                }
            }
        }
    }

    @Test func `A slow upload is cut off after the origin has received its beginning`() async throws {
        let ends = NIOLockedValueBox<[String]>([])
        try await ScriptedOrigin.run { connection in
            guard let request = try await connection.head() else { return }
            do {
                try await connection.content(of: request) { _ in }
                ends.withLockedValue { $0.append("whole") }
            } catch {
                ends.withLockedValue { $0.append("cut off") }
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                Self.configure(&$0)
                $0.spoolLimit = .bytes(2)
            } _: { gateway in
                let head = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                let text = head + "3\r\nabc\r\n3\r\ndef\r\n"
                let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
                #expect(exchange.isEnded && exchange.statuses == [408])
                try await eventually("the origin has noticed the end") { ends.withLockedValue { $0 } == ["cut off"] }
            }
        }
    }

    @Test func `A stream with slow content is answered with 408, and the connection continues`() async throws {
        try await Certificate.run { certificate in
            try await Self.answering { origin in
                try await RunningGateway.run(before: origin.url) {
                    Self.configure(&$0)
                    $0.certificate = .init(certificate)
                } _: { gateway in
                    try await HTTP2Wire.open(to: gateway.port) { wire in
                        try await wire.stream { stream in
                            try await stream.send("POST", "/slow", ends: false)
                            try await stream.send(ByteBuffer(string: "abc"))
                            #expect(try await stream.head().first(name: ":status") == "408")
                        }
                        #expect(try await wire.send("GET", "/next").text == "/next")
                    }
                    #expect(origin.requests.map(\.target) == ["/next"])
                }
            }
        }
    }

    /// Returns an origin with an endless body, most of which does not fit into a spool.
    private static func withEndlessBody(
        _ certificate: Certificate? = nil,
        _ test: @Sendable (RunningGateway, Gate) async throws -> Void
    ) async throws {
        let ended = Gate()
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                guard request.target == "/endless" else {
                    try await connection.send(answer("200 OK", [], request.target))
                    continue
                }
                try await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                do { while true { try await connection.send(Self.chunk) } } catch {}
                ended.open()
                return await ended.pass()
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                Self.configure(&$0)
                $0.bodyLimit = .kibibytes(64)
                $0.spoolLimit = .kibibytes(256)
                $0.certificate = certificate.map { .init($0) }
            } _: { gateway in
                try await test(gateway, ended)
            }
        }
    }

    @Test func `A client that does not read is disconnected`() async throws {
        try await Self.withEndlessBody { gateway, ended in
            try await Wire.open(to: gateway.port) { wire in
                try await wire.send("GET", "/endless")
                await ended.reached()
                #expect(try await wire.head().status == 200)
                await #expect(throws: (any Error).self) { while try await wire.chunk() != nil {} }
            }
        }
    }

    @Test func `A stream whose client does not read is reset, and the connection continues`() async throws {
        try await Certificate.run { certificate in
            try await Self.withEndlessBody(certificate) { gateway, ended in
                try await HTTP2Wire.open(to: gateway.port) { wire in
                    try await wire.stream { stream in
                        try await stream.send("GET", "/endless", ends: true)
                        await ended.reached()
                    }
                    #expect(try await wire.send("GET", "/next").text == "/next")
                }
            }
        }
    }

    @Test func `A client over TLS that does not read is disconnected`() async throws {
        try await Certificate.run { certificate in
            try await Self.withEndlessBody(certificate) { gateway, ended in
                let channel = try await TLSClient.connect(to: gateway.port)
                try await channel.writeAndFlush(
                    ByteBuffer(string: "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
                )
                // The handshake is complete: nothing is read from here on.
                try await channel.setOption(.autoRead, value: false).get()
                await ended.reached()
                try? await channel.close()
            }
        }
    }

    @Test func `A client from which nothing is expected is not slow`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                guard request.target == "/events" else {
                    try await connection.send(answer("200 OK", [], request.target))
                    continue
                }
                let fields = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked"
                try await connection.send("HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n1\r\na\r\n")
                await gate.pass()
                try await connection.send("1\r\nb\r\n0\r\n\r\n")
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url, configure: Self.configure) { gateway in
                try await Wire.open(to: gateway.port) { idle in
                    try await idle.send("GET", "/first")
                    #expect(try await idle.answer().text == "/first")
                    try await Wire.open(to: gateway.port) { events in
                        try await events.send("GET", "/events")
                        let head = try await events.head()
                        #expect(head.status == 200)
                        // Each part is received as it is sent.
                        #expect(try await events.chunk() == [UInt8(ascii: "a")])
                        for _ in 0..<3 {
                            // This takes as long as a client may be slow.
                            let exchange = try await Exchange.send(Array("GET /".utf8), to: gateway.port)
                            #expect(exchange.statuses == [408])
                        }
                        gate.open()
                        #expect(try await events.chunk() == [UInt8(ascii: "b")])
                        #expect(try await events.chunk() == nil)
                    }
                    try await idle.send("GET", "/second")
                    #expect(try await idle.answer().text == "/second")
                }
            }
        }
    }

    @Test func `An upload that the origin reads slowly is not slow`() async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.head() {
                if request.method == "POST" {
                    await gate.pass()
                    try await connection.content(of: request) { _ in }
                }
                try await connection.send(answer("200 OK", [], request.target))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) {
                Self.configure(&$0)
                $0.spoolLimit = .kibibytes(256)
            } _: { gateway in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await Wire.open(to: gateway.port) { wire in
                            try await wire.send("POST", "/large", ["Transfer-Encoding: chunked"])
                            for _ in 0..<200 { try await wire.send(Self.chunk) }
                            try await wire.send(bytes: Array("0\r\n\r\n".utf8))
                            #expect(try await wire.answer().text == "/large")
                        }
                    }
                    await gate.reached()
                    for _ in 0..<3 {
                        let exchange = try await Exchange.send(Array("GET /".utf8), to: gateway.port)
                        #expect(exchange.statuses == [408])
                    }
                    gate.open()
                    try await group.waitForAll()
                }
            }
        }
    }
}
