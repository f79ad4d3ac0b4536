import HTTPTypes
import NIOCore
import TestHelpers
import Testing

@testable import LarderGateway

/// Bytes on the wire that are not UTF-8.
@Suite(.timeLimit(.minutes(5))) struct NonUTF8RequestTests {
    private func ask(_ name: String, _ value: [UInt8], of gateway: RunningGateway) async throws -> Exchange.Answer {
        let head = "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(name): "
        let exchange = try await Exchange.send(
            Array(head.utf8) + value + Array("\r\n\r\n".utf8),
            to: gateway.port
        )
        return try #require(exchange.answers.first)
    }

    private func orleans(_ byte: UInt8) -> [UInt8] { Array("Orl".utf8) + [byte] + Array("ans".utf8) }

    @Test func `A request with bytes that are not UTF-8 in a Vary field gets its own response`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=60", "Vary: X-City"], "city")
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for byte in [0xE9, 0xE8, 0xE9] as [UInt8] {
                    let found = try await ask("X-City", orleans(byte), of: gateway)
                    #expect(found["Cache-Status"]?.hasSuffix("detail=request-altered-bytes") == true)
                }
                #expect(origin.requests.count == 3)
                #expect(try await ask("X-City", Array("Orl\u{E9}ans".utf8), of: gateway).status == 200)
                let hit = try await ask("X-City", Array("Orl\u{E9}ans".utf8), of: gateway)
                #expect(hit["Cache-Status"]?.contains("; hit") == true)
                let other = try await ask("X-City", orleans(0xE9), of: gateway)
                #expect(other["Cache-Status"]?.hasSuffix("detail=altered-bytes") == true)
                #expect(origin.requests.count == 5)
            }
        }
    }

    @Test func `A request with bytes that are not UTF-8 in a field of the key bypasses`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: max-age=60"], "city")
        } _: { origin in
            try await RunningGateway.run(before: origin.url, file: "routes: [{path: /a, vary: [X-City]}]") { gateway in
                for byte in [0xE9, 0xE8] as [UInt8] {
                    let found = try await ask("X-City", orleans(byte), of: gateway)
                    #expect(found["Cache-Status"]?.hasSuffix("detail=altered-bytes") == true)
                }
                #expect(origin.requests.count == 2)
            }
        }
    }

    @Test(arguments: ["ETag: \"caf\u{E9}\"", "X-Note: caf\u{E9}"])
    func `A response with bytes that are not UTF-8 in its head is not stored`(_ field: String) async throws {
        try await ScriptedOrigin.run { connection in
            while try await connection.request() != nil {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Control: max-age=60\r\n"
                let latin = field.unicodeScalars.map { UInt8($0.value) }
                try await connection.send(ByteBuffer(bytes: Array(head.utf8) + latin + Array("\r\n\r\na".utf8)))
            }
        } _: { origin in
            try await RunningGateway.run(before: origin.url) { gateway in
                for _ in 0..<2 {
                    let found = try await ask("X-City", Array("Rome".utf8), of: gateway)
                    #expect(found["Cache-Status"]?.hasSuffix("detail=altered-bytes") == true)
                }
                #expect(origin.requests.count == 2)
            }
        }
    }
}
