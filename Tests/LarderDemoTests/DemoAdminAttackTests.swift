import LarderTestSupport
import TestHelpers
import Testing

/// Attempts to use the admin routes of the example API without being an admin.
@Suite(.timeLimit(.minutes(5))) struct DemoAdminAttackTests {
    private static let requests = ["DELETE /api/invalidate/GET:/api/posts/", "GET /metrics/cache"]

    private static func send(_ request: String, _ fields: [String], to port: Int) async throws -> Wire.Answer {
        try await Wire.open(to: port) { wire in
            let lines = ["\(request) HTTP/1.1"] + fields + ["", ""]
            try await wire.send(bytes: Array(lines.joined(separator: "\r\n").utf8))
            return try await wire.answer()
        }
    }

    @Test(arguments: [([:], true), (["LARDER_ADMIN_TOKEN": "0123456789abcdef"], false)] as [([String: String], Bool)])
    func `By default the admin routes need a token, and the program says in one line how to get access`(
        _ environment: [String: String],
        _ isSaid: Bool
    ) async throws {
        let port = try FreePort.take()
        let all = environment.merging(["PORT": "\(port)"]) { $1 }
        try await ProgramProcess.run("larder-demo", environment: all) { demo in
            try await demo.listens(on: port)
            _ = try await Wire.send("GET", "/api/posts/", to: port)
            for request in Self.requests {
                // The request has the form in which nginx forwards it with `proxy_pass http://127.0.0.1:8080`.
                let answer = try await Self.send(request, ["Host: 127.0.0.1:\(port)", "Connection: close"], to: port)
                #expect(answer.status == (isSaid ? 403 : 401) && !answer.text.contains("GET:"))
            }
            #expect(try await Wire.send("GET", "/api/posts/", to: port).isHit)
            let lines = demo.output.split(separator: "\n").filter { $0.contains("LARDER_ADMIN_TOKEN") }
            #expect(lines.count == (isSaid ? 1 : 0), "\(demo.output)")
            #expect(lines.allSatisfy { $0.contains("LARDER_ADMIN_ACCESS=loopback") })
        }
    }

    @Test(arguments: ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"])
    func `A request from a page of another site is refused`(_ field: String) async throws {
        try await withPort { port in
            _ = try await Wire.send("GET", "/api/posts/", to: port)
            for request in Self.requests {
                #expect(try await Self.send(request, ["Host: localhost", field], to: port).status == 403)
            }
            #expect(try await Wire.send("GET", "/api/posts/", to: port).isHit)
            let own = ["Host: localhost:\(port)", "Origin: http://localhost:\(port)", "Sec-Fetch-Site: same-origin"]
            for request in Self.requests {
                #expect(try await Self.send(request, own, to: port).status == 200)
            }
        }
    }
}
