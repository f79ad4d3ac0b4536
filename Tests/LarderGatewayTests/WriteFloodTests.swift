import LarderTestSupport
import TestHelpers
import Testing

/// The stored responses after a flood of anonymous writes, with an invalidation log that is far too small for them.
@Suite(.timeLimit(.minutes(5))) struct WriteFloodTests {
    private static let stored = 100

    /// Runs a gateway before an origin whose responses to GET can be stored, and that redirects POSTs to name two more
    /// paths.
    private static func serve(_ options: [String], _ test: @Sendable (Int) async throws -> Void) async throws {
        try await ScriptedOrigin.answering { request in
            guard request.method == "POST" else { return answer("200 OK", ["Cache-Control: max-age=600"], "stored") }
            let fields = ["Location: /there\(request.target)", "Content-Location: /here\(request.target)"]
            return answer("302 Found", fields, "")
        } _: { origin in
            let port = try FreePort.take()
            let arguments = ["serve", "--origin", origin.url, "--listen", "127.0.0.1:\(port)"]
            try await ProgramProcess.run("larder", arguments + options) { gateway in
                try await gateway.listens(on: port)
                try await test(port)
            }
        }
    }

    private static func expectHits(_ port: Int) async throws {
        try await Wire.open(to: port) { reader in
            // The store may still be connecting.
            try await eventually("responses are stored") {
                try? await reader.send("GET", "/first")
                return (try? await reader.answer().isHit) == true
            }
            for number in 0..<stored {
                try await reader.send("GET", "/stored/\(number)")
                #expect(try await reader.answer().status == 200)
            }
            try await withThrowingTaskGroup(of: Void.self) { writers in
                for writer in 0..<4 { writers.addTask { try await write(by: writer, to: port) } }
                try await writers.waitForAll()
            }
            var hits = 0
            for number in 0..<stored {
                try await reader.send("GET", "/stored/\(number)")
                if try await reader.answer().isHit { hits += 1 }
            }
            #expect(hits >= stored * 95 / 100)
            // A path that was written to is not served from the store.
            try await reader.send("POST", "/stored/7", body: "new")
            #expect(try await reader.answer().status == 302)
            try await reader.send("GET", "/stored/7")
            #expect(try await !reader.answer().isHit)
        }
    }

    /// Writes to 600 paths, 50 requests at a time.
    private static func write(by writer: Int, to port: Int) async throws {
        try await Wire.open(to: port) { wire in
            for batch in 0..<12 {
                let requests = (0..<50).map {
                    "POST /written/\(writer)/\(batch)-\($0) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
                }
                try await wire.send(bytes: Array(requests.joined().utf8))
                for _ in requests { #expect(try await wire.answer().status == 302) }
            }
        }
    }

    @Test func `2,400 POSTs to distinct paths leave 95 percent of the stored responses in memory`() async throws {
        try await Self.serve(["--invalidation-log", "64KiB"]) { try await Self.expectHits($0) }
    }

    @Test func `2,400 POSTs to distinct paths leave 95 percent of the stored responses in Redis`() async throws {
        try await RedisProcess.run { redis in
            let options = ["--store", "redis://127.0.0.1:\(redis.port)", "--invalidation-log", "1MiB"]
            try await Self.serve(options) { try await Self.expectHits($0) }
        }
    }
}
