import Larder
import NIOCore
import NIOHPACK
import TestHelpers
import Testing

@testable import LarderGateway

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The responses of the gateway itself: to requests about it, and to requests that are refused.
@Suite(.timeLimit(.minutes(5))) struct RequestHeadTests {
    private static func text(_ line: String, _ fields: String...) -> [UInt8] {
        Array((([line] + fields).map { $0 + "\r\n" }.joined() + "\r\n").utf8)
    }

    // MARK: - HTTP/1.0 requests and requests for the server as a whole

    @Test(arguments: ["health", "ready"]) func `HTTP/1.0 health checks need no Host`(_ route: String) async throws {
        try await RunningGateway.run(before: "http://127.0.0.1:1") { gateway in
            let exchange = try await Exchange.send(Self.text("GET /-/larder/\(route) HTTP/1.0"), to: gateway.port)
            let answer = try #require(exchange.answers.first)
            #expect(answer.status == 200 && answer["Connection"] == "close" && answer["Date"] != nil, "\(answer)")
            #expect(exchange.isEnded && answer.statusLine.hasPrefix("HTTP/1.0 "))
        }
    }

    @Test func `OPTIONS for the server as a whole is answered by the gateway`() async throws {
        try await FrontTests.run { _ in
            answer("200 OK", [], "of the origin")
        } _: { gateway, origin in
            try await HTTP2Wire.open(to: gateway.port) { wire in
                let answer = try await wire.send("OPTIONS", "*")
                #expect(answer.status == "200" && answer.text.isEmpty)
                #expect(answer.fields.first(name: "allow")?.contains("DELETE") == true)
                #expect(try await wire.send("GET", "*").status == "400")
            }
            #expect(origin.requests.isEmpty)
        }
    }

    @Test func `A client by HTTP/1.0 that asks for a persistent connection gets one`() async throws {
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.request() {
                if request.target == "/endless" {
                    return try await connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwhole")
                }
                try await connection.send(answer("200 OK", [], request.target))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                let heads = ["/a", "/b", "/endless", "/never"].flatMap {
                    Self.text("GET \($0) HTTP/1.0", "Host: localhost", "Connection: Keep-Alive")
                }
                let exchange = try await Exchange.send(heads, to: gateway.port)
                #expect(exchange.answers.map(\.body) == ["/a", "/b", "whole"], "\(exchange)")
                #expect(exchange.answers.map { $0["Connection"] } == ["keep-alive", "keep-alive", "close"])
            }
        }
    }

    // MARK: - The gateway's own responses

    @Test func `Every response of the gateway itself has a Date`() async throws {
        let own = [
            ("GET /-/larder/health HTTP/1.1", 200), ("GET /-/larder/nothing HTTP/1.1", 404),
            ("PURGE /a HTTP/1.1", 404), ("TRACE / HTTP/1.1", 405), ("OPTIONS * HTTP/1.1", 200), ("GET * HTTP/1.1", 400),
            ("GET /a#b HTTP/1.1", 400), ("GET / HTTP/2.0", 400), ("BREW / HTTP/1.1", 501), ("\u{16}\u{3}\u{1}", 400),
            ("GET / HTTP/1.1", 502), ("GET /-/larder/metrics/cache HTTP/1.1", 200),
        ]
        try await RunningGateway.run(before: "http://127.0.0.1:1") { gateway in
            for (line, status) in own {
                let exchange = try await Exchange.send(
                    Self.text(line, "Host: localhost", "Connection: close"),
                    to: gateway.port
                )
                let answer = try #require(exchange.answers.first)
                #expect(answer.status == status && answer["Date"]?.hasSuffix(" GMT") == true, "\(line): \(answer)")
            }
        }
    }

    @Test func `Rejected requests are in the access log`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "access-\(UInt64.random(in: 0 ... .max)).log")
        defer { try? FileManager.default.removeItem(at: file) }
        let rejected = [
            "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /a HTTP/1.1\r\n\r\n",
            "BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /b HTTP/1.1\r\nHost: a b\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\r\n\r\n",
            "GET /c HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 5_000))\r\n\r\n",
            "GET /d HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 3_000))\r\n\r\n",
            "GET /\(String(repeating: "e", count: 5_000)) HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /f HTTP/1.1\r\nHost: localhost\r\n\r\nGET /g HTTP/1.1\r\nHost : x\r\n\r\n",
        ]
        try await ScriptedOrigin.answering({ _ in answer() }) { origin in
            try await RunningGateway.run(before: origin.url) {
                $0.accessLog = .file(file.path())
                $0.headerLimit = .kibibytes(2)
            } _: { gateway in
                for text in rejected {
                    let exchange = try await Exchange.send(Array(text.utf8), to: gateway.port)
                    #expect(exchange.isEnded)
                }
            }
        }
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            line.drop { $0 != "\"" }.split(separator: "\"").prefix(2).joined().split(separator: " ").prefix(4)
                .joined(separator: " ")
        }
        let long = "/" + String(repeating: "e", count: 2_047)
        #expect(
            lines == [
                "GET * HTTP/1.1 400", "GET /a HTTP/1.1 400", "BREW /pot HTTP/1.1 501", "GET /b HTTP/1.1 400",
                "- - - 400", "GET /c HTTP/1.1 431", "GET /d HTTP/1.1 431", "GET \(long) HTTP/1.1 414",
                "GET /f HTTP/1.1 200", "- - - 400",
            ]
        )
    }

    // MARK: - The size of a head

    @Test func `A large HTTP/2 head is a 431 on its stream, and a far larger one ends the connection`()
        async throws
    {
        try await FrontTests.run { _ in
            answer()
        } _: { gateway, origin in
            // Each field has 3,939 bytes as HTTP/2 measures it. On the wire each repetition is one byte.
            func fields(_ count: Int) -> [(String, String)] {
                Array(repeating: ("x-large", String(repeating: "x", count: 3_900)), count: count)
            }
            try await HTTP2Wire.open(to: gateway.port) { wire in
                // The first request is sent before the client has received the settings.
                #expect(try await wire.send("GET", "/", fields(15)).status == "200")
                let refusal = try await wire.send("GET", "/", fields(25))
                #expect(refusal.status == "431" && refusal.fields.contains(name: "date"))
                #expect(try await wire.send("GET", "/").status == "200")
                await #expect(throws: (any Error).self) { try await wire.send("GET", "/", fields(50)) }
                try await wire.channel.closeFuture.get()
            }
            #expect(origin.requests.count == 2)
        }
    }

    @Test func `The acknowledgement of settings is inserted early, and removed when it is received`() throws {
        func frame(_ type: UInt8, _ flags: UInt8, _ content: [UInt8]) -> [UInt8] {
            [0, UInt8(content.count >> 8), UInt8(content.count & 0xFF), type, flags, 0, 0, 0, 1] + content
        }
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        let settings = frame(4, 0, [0, 3, 0, 0, 0, 100])
        let request = frame(1, 5, Array(repeating: 0x82, count: 300))
        let data = frame(0, 1, [1, 2, 3])
        let acknowledgement = frame(4, 1, [])
        let early = Array(SettingsFrames.acknowledgement.readableBytesView)
        let sent = preface + settings + request + acknowledgement + data + acknowledgement
        let expected = preface + settings + early + request + data + acknowledgement
        for step in [1, 2, 7, 9, 24, 33, 100, sent.count] {
            var frames = SettingsFrames()
            var read: [UInt8] = []
            for start in stride(from: 0, to: sent.count, by: step) {
                let part = ByteBuffer(bytes: sent[start..<min(start + step, sent.count)])
                for out in frames.read(part) { read += out.readableBytesView }
            }
            #expect(read == expected && frames.isDone, "\(step)")
        }
    }
}
