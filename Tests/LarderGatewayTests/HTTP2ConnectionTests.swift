import LarderGateway
import NIOCore
import TestHelpers
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// HTTP/2 connections whose streams may come from several clients.
@Suite(.timeLimit(.minutes(5))) struct HTTP2ConnectionTests {
    @Test(arguments: [
        [("connection", "close")], [("X-Upper", "case")], [(":path", "/again")], [("te", "gzip")],
        [("content-length", "1"), ("content-length", "2")],
    ])
    func `A malformed request ends its stream only, and is in the access log`(_ fields: [(String, String)]) async throws
    {
        let file = FileManager.default.temporaryDirectory.appending(path: "access-\(UInt64.random(in: 0 ... .max)).log")
        defer { try? FileManager.default.removeItem(at: file) }
        let gate = Gate()
        try await Certificate.run { certificate in
            try await ScriptedOrigin.answering { request in
                if request.target == "/held" { await gate.pass() }
                return answer("200 OK", [], request.target)
            } _: { origin in
                try await RunningGateway.run(before: origin.url) {
                    $0.certificate = .init(certificate)
                    $0.accessLog = .file(file.path())
                } _: { gateway in
                    try await HTTP2Wire.open(to: gateway.port, validates: false) { wire async throws in
                        async let held = wire.send("GET", "/held")
                        await gate.reached()
                        for _ in 0..<3 {
                            await #expect(throws: (any Error).self) { try await wire.send("GET", "/", fields) }
                        }
                        #expect(try await wire.send("GET", "/next").text == "/next")
                        gate.open()
                        #expect(try await held.text == "/held")
                    }
                }
                #expect(Set(origin.requests.map(\.target)) == ["/held", "/next"])
            }
        }
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count { $0.contains("] \"- - HTTP/2.0\" 400 -") } == 3, "\(lines)")
    }

    @Test func `Content that is longer than declared ends its stream only`() async throws {
        let gate = Gate()
        try await Certificate.run { certificate in
            try await ScriptedOrigin.run { connection in
                guard let request = try await connection.head() else { return }
                if request.target == "/held" { await gate.pass() }
                try await connection.send(answer("200 OK", [], request.target))
            } _: { origin in
                try await RunningGateway.run(before: origin.url, configure: { $0.certificate = .init(certificate) }) {
                    gateway in
                    try await HTTP2Wire.open(to: gateway.port, validates: false) { wire async throws in
                        async let held = wire.send("GET", "/held")
                        await gate.reached()
                        await #expect(throws: (any Error).self) {
                            try await wire.stream { stream in
                                try await stream.send("POST", "/", [("content-length", "1")], ends: false)
                                try await stream.send(ByteBuffer(string: "two"), ends: true)
                                _ = try await stream.answer()
                            }
                        }
                        gate.open()
                        #expect(try await held.text == "/held")
                    }
                }
            }
        }
    }
}
