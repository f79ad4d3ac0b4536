import LarderTestSupport
import TestHelpers
import Testing

/// Tests of the access to the admin routes without a token.
@Suite(.timeLimit(.minutes(5))) struct LoopbackTests {
    @Test(arguments: [
        "localhost", "LOCALHOST:8080", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]",
    ])
    func `A request with a host name of this machine is answered`(_ host: String) async throws {
        try await withPort { port in
            let answer = try await Self.metrics(["Host: \(host)"], of: port)
            #expect(answer.status == 200)
        }
    }

    /// A page in a browser on this machine can send requests too, with a host name that was made to resolve to this
    /// machine.
    @Test(arguments: [
        ["Host: evil.example"], ["Host: 127.0.0.1.evil.example"], ["Host: localhost.evil.example:80"],
        ["Host: evil.example:127"], ["Host: 128.0.0.1"], ["Host: [::2]"], ["Host: localhost:x"], ["Host: "],
        ["Host: localhost@evil.example"], ["Host: [::1].evil.example"], ["Host: evil.example", "Host: localhost"], [],
    ]) func `A request for another host, or for none, is refused without effect`(_ hosts: [String]) async throws {
        try await withPort { port in
            _ = try await Wire.send("GET", "/api/posts/", to: port)
            let answer = try await Self.metrics(hosts, of: port)
            // The API rejects a request with two Host fields, or without one, as malformed.
            #expect([400, 403].contains(answer.status) && !answer.text.contains("GET:"))
            let delete = try await Self.send("DELETE /api/invalidate/GET:/api/posts/", hosts, to: port)
            #expect(delete.status == answer.status)
            let stored = try await Wire.send("GET", "/api/posts/", to: port)
            #expect(stored.isHit)
        }
    }

    private static func metrics(_ fields: [String], of port: Int) async throws -> Wire.Answer {
        try await send("GET /metrics/cache", fields, to: port)
    }

    private static func send(_ line: String, _ fields: [String], to port: Int) async throws -> Wire.Answer {
        try await Wire.open(to: port) { wire in
            let lines = ["\(line) HTTP/1.1"] + fields + ["", ""]
            try await wire.send(bytes: Array(lines.joined(separator: "\r\n").utf8))
            return try await wire.answer()
        }
    }
}
