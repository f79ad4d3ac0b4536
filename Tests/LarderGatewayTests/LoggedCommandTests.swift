import Foundation
import LarderTestSupport
import TestHelpers
import Testing

/// The logs of the program `larder`.
@Suite(.timeLimit(.minutes(5))) struct LoggedCommandTests {
    @Test func `SIGHUP changes the format, and larder simulate reads the JSON`() async throws {
        try await LogFolder.run { folder async throws in
            try await ScriptedOrigin.answering { request in
                answer("200 OK", ["Cache-Control: max-age=60"], request.target)
            } _: { origin async throws in
                let port = try FreePort.take()
                func configure(_ format: String) throws {
                    let text = """
                        origin: \(origin.url)
                        listen: 127.0.0.1:\(port)
                        access-log: \(folder.path("access.log"))
                        access-log-format: \(format)
                        drain-delay: 0s
                        """
                    try Data(text.utf8).write(to: URL(filePath: folder.path("larder.yaml")))
                }
                try configure("combined")
                try await ProgramProcess.run("larder", ["serve", "--config", folder.path("larder.yaml")]) {
                    gateway async throws in
                    try await gateway.listens(on: port)
                    _ = try await Wire.send("GET", "/a", to: port)
                    try configure("json")
                    gateway.signal(SIGHUP)
                    try await eventually("it is reloaded: \(gateway.output)") {
                        gateway.output.contains("changed=access-log-format")
                    }
                    for target in ["/a", "/b", "/a", "/b?c=d"] { _ = try await Wire.send("GET", target, to: port) }
                    _ = try await Exchange.send(Array("\u{16}\u{3}\r\n\r\n".utf8), to: port)
                    gateway.signal(SIGTERM)
                    #expect(try await gateway.status() == 0, "\(gateway.output)")
                }
                let lines = folder.lines("access.log")
                #expect(lines.count == 6 && lines[0].contains("\"GET /a HTTP/1.1\" 200 2 "), "\(lines)")
                let json = lines.dropFirst().joined(separator: "\n") + "\n"
                try Data(json.utf8).write(to: URL(filePath: folder.path("json.log")))
                let arguments = [
                    "simulate", folder.path("json.log"), "--format", "json", "--policy", "by-use", "--memory", "1MiB",
                ]
                try await ProgramProcess.run("larder", arguments) { program async throws in
                    let status = try await program.status()
                    #expect(status == 0 && !program.output.contains("warning"), "\(program.output)")
                    let object = try JSONSerialization.jsonObject(with: Data(program.output.utf8)) as? [String: Any]
                    let results = try #require(object?["results"] as? [[String: Any]])
                    // Of five requests, one is for what another one has fetched, and one could not be read.
                    #expect(results.count == 1 && results[0]["hitRatio"] as? Double == 0.2, "\(program.output)")
                }
            }
        }
    }

    @Test func `Lines of the program about a request have its ID`() async throws {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", ["Cache-Control: no-store"], "a")
        } _: { origin async throws in
            let port = try FreePort.take()
            let arguments = [
                "serve", "--origin", origin.url, "--listen", "127.0.0.1:\(port)", "--log-level", "debug",
                "--drain-delay", "0s",
            ]
            try await ProgramProcess.run("larder", arguments) { gateway async throws in
                try await gateway.listens(on: port)
                _ = try await Wire.send("GET", "/a", to: port)
                try await eventually("the lines are there: \(gateway.output)") {
                    gateway.output.contains("A client's request was answered")
                }
                let id = try #require(origin.requests.first?["X-Request-Id"])
                let lines = gateway.output.split(separator: "\n").filter { $0.contains("request-id=\(id)") }
                let messages = [
                    "A response was not stored", "A request was answered", "A client's request was answered",
                ]
                for message in messages { #expect(lines.contains { $0.contains(message) }, "\(gateway.output)") }
            }
        }
    }
}
