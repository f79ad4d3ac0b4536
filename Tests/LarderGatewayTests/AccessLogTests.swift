import LarderGateway
import LarderTestSupport
import TestHelpers
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The lines that requests leave in the access log.
@Suite(.timeLimit(.minutes(5))) struct AccessLogTests {
    /// Runs a gateway that logs to a file, and returns the lines once the gateway has ended.
    private func lines(_ test: @Sendable (RunningGateway) async throws -> Void) async throws -> [String] {
        let file = FileManager.default.temporaryDirectory.appending(path: "access-\(UInt64.random(in: 0 ... .max)).log")
        defer { try? FileManager.default.removeItem(at: file) }
        let time = ManualClock()
        try await ScriptedOrigin.answering { request in
            request.target == "/gone" ? "HTTP/1.1 204 No Content\r\n\r\n" : answer("200 OK", [], "content")
        } _: { origin in
            try await RunningGateway.run(before: origin.url, clock: time.clock) {
                $0.accessLog = .file(file.path())
            } _: { gateway in
                try await test(gateway)
            }
        }
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test func `Each request leaves a line in the combined format`() async throws {
        let lines = try await lines { gateway in
            _ = try await gateway.exchange("User-Agent: curl/8.5.0", "Referer: http://a.example/?b", target: "/a?b=c")
            _ = try await gateway.exchange(target: "/gone")
            _ = try await gateway.exchange(method: "HEAD", target: "/")
            _ = try await gateway.exchange(method: "POST", target: "/-/larder/health")
            _ = try await gateway.exchange(method: "TRACE", target: "/")
        }
        let start = "127.0.0.1 - - [15/Jan/2027:08:00:00 +0000] "
        #expect(
            lines == [
                start + "\"GET /a?b=c HTTP/1.1\" 200 7 \"http://a.example/?b\" \"curl/8.5.0\"",
                start + "\"GET /gone HTTP/1.1\" 204 - \"-\" \"-\"",
                start + "\"HEAD / HTTP/1.1\" 200 - \"-\" \"-\"",
                start + "\"POST /-/larder/health HTTP/1.1\" 404 36 \"-\" \"-\"",
                start + "\"TRACE / HTTP/1.1\" 405 104 \"-\" \"-\"",
            ]
        )
    }

    @Test func `An invalid HTTP version is escaped`() async throws {
        let lines = try await lines { gateway in
            _ = try await Exchange.send(Array("GET /a HTTP/\"\u{1}\"\r\nHost: a\r\n\r\n".utf8), to: gateway.port)
        }
        #expect(lines.count == 1)
        for line in lines {
            #expect(line.contains("\"GET /a ") && line.contains("\" 400 "), "\(line)")
            // Six quotes open or close the request, the referer and the agent. A quote that the client sent has a
            // backslash.
            #expect(line.replacing("\\\"", with: "").count { $0 == "\"" } == 6 && !line.contains("\u{1}"), "\(line)")
        }
    }

    @Test func `A client cannot forge a line`() async throws {
        let lines = try await lines { gateway in
            _ = try await gateway.exchange("User-Agent: \" 200 1 \"-\" \"evil\u{E9}\u{9}\\n", target: "/\"\\evil")
        }
        let start = "127.0.0.1 - - [15/Jan/2027:08:00:00 +0000] "
        #expect(
            lines == [
                start
                    + "\"GET /\\\"\\\\evil HTTP/1.1\" 200 7 \"-\" \"\\\" 200 1 \\\"-\\\" \\\"evil\\xc3\\xa9\\x09\\\\n\""
            ]
        )
    }

    @Test func `Without a setting nothing is logged, and a file that cannot be opened is reported at the start`()
        async throws
    {
        try await RunningGateway.run(before: "http://127.0.0.1:1") { gateway in
            let health = try await gateway.send("GET", "/-/larder/health")
            #expect(health.status == 200)
        }
        await #expect(throws: (any Error).self) {
            try await RunningGateway.run(before: "http://127.0.0.1:1") {
                $0.accessLog = .file("/nowhere/at/all/access.log")
            } _: { _ in
            }
        }
    }

    @Test func `A pipe that no process reads does not block the gateway`() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID()).pipe").path
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        await #expect(throws: (any Error).self) {
            try await RunningGateway.run(before: "http://127.0.0.1:1") {
                $0.accessLog = .file(path)
            } _: { _ in
            }
        }
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        try await RunningGateway.run(before: "http://127.0.0.1:1") {
            $0.accessLog = .file(path)
        } _: { gateway in
            // This is more than the pipe holds, and no process reads it.
            for _ in 0..<40 { _ = try await gateway.send("GET", "/" + String(repeating: "a", count: 4_000)) }
        }
    }
}
