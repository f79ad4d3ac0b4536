import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestHelpers
import Testing

/// The program `larder` as a user starts it.
@Suite(.timeLimit(.minutes(5))) struct CommandTests {
    private static func serve(
        _ origin: String,
        _ options: [String] = [],
        _ test: (ProgramProcess, Int) async throws -> Void
    ) async throws {
        let port = try FreePort.take()
        let arguments = [
            "serve", "--origin", origin, "--listen", "127.0.0.1:\(port)", "--connect-timeout", "60s", "--drain-delay",
            "0s", "--drain-timeout", "5m",
        ]
        try await ProgramProcess.run("larder", arguments + options) { gateway in
            try await gateway.listens(on: port)
            try await test(gateway, port)
        }
    }

    @Test(arguments: [SIGTERM, SIGINT]) func `A signal to end lets requests under way finish, and refuses others`(
        _ signal: Int32
    ) async throws {
        let gate = Gate()
        try await ScriptedOrigin.run { connection in
            while let request = try await connection.request() {
                if request.target == "/streaming" {
                    try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
                    await gate.pass()
                    try await connection.send("half")
                } else {
                    await gate.pass()
                    try await connection.send(answer("200 OK", [], "whole"))
                }
            }
        } _: { origin in
            try await Self.serve(origin.url) { gateway, port in
                try await Wire.open(to: port) { streaming in
                    try await streaming.send("GET", "/streaming")
                    let head = try await streaming.head()
                    #expect(head.status == 200)
                    try await withThrowingTaskGroup(of: String.self) { group in
                        for number in 0..<4 {
                            group.addTask { try await Wire.send("GET", "/\(number)", to: port).text }
                            group.addTask { try await Wire.send("POST", "/\(number)", body: "x", to: port).text }
                        }
                        await gate.reached(by: 9)
                        gateway.signal(signal)
                        try await eventually("it does not accept connections any more: \(gateway.output)") {
                            (try? await Wire.open(to: port) { _ in true }) == nil
                        }
                        gate.open()
                        for try await text in group { #expect(text == "whole") }
                    }
                    var text = ""
                    try await streaming.content(head.fields) { text += String(buffer: $0) }
                    #expect(text == "halfhalf")
                }
                let status = try await gateway.status()
                #expect(status == 0, "\(gateway.output)")
            }
        }
    }

    @Test func `SIGHUP reloads the routes of the file, and a file with diagnostics changes nothing`()
        async throws
    {
        try await ScriptedOrigin.answering { _ in
            answer("200 OK", [], "old")
        } _: { old in
            try await ScriptedOrigin.answering { _ in
                answer("200 OK", [], "new")
            } _: { new in
                try await Self.expectReload(from: old.url, to: new.url)
            }
        }
    }

    private static func expectReload(from old: String, to new: String) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString).yaml")
        func write(_ lines: String...) throws { try Data(lines.joined(separator: "\n").utf8).write(to: file) }
        defer { try? FileManager.default.removeItem(at: file) }
        let port = try FreePort.take()
        let settings = ["listen: 127.0.0.1:\(port)", "connect-timeout: 60s"].joined(separator: "\n")
        try write(settings, "origin: \(old)")
        try await ProgramProcess.run("larder", ["serve", "--config", file.path]) { gateway in
            try await gateway.listens(on: port)
            #expect(try await Wire.send("GET", "/a", to: port).text == "old")
            try write(settings, "origin: \(new)", "no-such-setting: 1")
            gateway.signal(SIGHUP)
            try await eventually("it is logged: \(gateway.output)") {
                gateway.output.contains("The configuration cannot be reloaded, and is unchanged")
            }
            #expect(gateway.output.contains("\(file.path):4:1: "))
            #expect(try await Wire.send("GET", "/b", to: port).text == "old")
            try write(settings, "origin: \(new)")
            gateway.signal(SIGHUP)
            try await eventually("it loads them: \(gateway.output)") {
                gateway.output.contains("Reloaded the configuration")
            }
            #expect(try await Wire.send("GET", "/c", to: port).text == "new")
            gateway.signal(SIGTERM)
            let status = try await gateway.status()
            #expect(status == 0)
        }
    }

    @Test(arguments: [
        (["serve"], EX_CONFIG),
        (["serve", "--origin", "ftp://127.0.0.1"], EX_CONFIG),
        (["serve", "--origin", "http://127.0.0.1:9", "--listen", "nowhere"], EX_CONFIG),
        (["serve", "--origin", "http://127.0.0.1:9", "--config", "/no/such/file.yaml"], EX_NOINPUT),
        (
            [
                "serve", "--origin", "http://127.0.0.1:9", "--certificate", "/no/such.crt", "--private-key",
                "/no/such.key",
            ], EX_CONFIG
        ),
        (["serve", "--origin", "http://127.0.0.1:9", "--origin-ca", "/no/such.crt"], EX_CONFIG),
    ]) func `A configuration that cannot be used is reported in one line, with an exit status`(
        _ arguments: [String],
        _ expected: Int32
    ) async throws {
        try await ProgramProcess.run("larder", arguments) { gateway in
            let status = try await gateway.status()
            #expect(status == expected)
            let output = gateway.output
            let place = output.prefix { $0 != " " }
            #expect(place.hasSuffix(":") && output.dropFirst(place.count).hasPrefix(" error: "), "\(output)")
            #expect(output.count { $0 == "\n" } == 1, "\(output)")
        }
    }

    @Test func `A port in use is reported in one line, with the status for unavailable`() async throws {
        let taken = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(taken.localAddress?.port)
        let arguments = ["serve", "--origin", "http://127.0.0.1:9", "--listen", "127.0.0.1:\(port)"]
        try await ProgramProcess.run("larder", arguments) { gateway in
            let status = try await gateway.status()
            #expect(status == EX_UNAVAILABLE)
            let lines = gateway.output.split(separator: "\n").filter { $0.hasPrefix("larder: ") }
            #expect(lines.count == 1 && lines[0].hasPrefix("larder: error: cannot listen on 127.0.0.1:\(port): "))
        }
        try await taken.close()
    }

    @Test func `The explain command explains an origin's response, and reports unreadable input`() async throws {
        try await ScriptedOrigin.answering({ _ in answer("200 OK", ["Cache-Control: max-age=60"], "a") }) { origin in
            try await ProgramProcess.run("larder", ["explain", origin.url + "/a?b", "-H", "Accept: text/css"]) {
                program in
                let status = try await program.status()
                #expect(status == 0 && program.output.hasPrefix("Stored: fresh for "), "\(program.output)")
                #expect(origin.requests.map(\.target) == ["/a?b"] && origin.requests[0]["Accept"] == "text/css")
            }
            try await origin.refuse()
            let wrong = [
                (origin.url, EX_UNAVAILABLE, "\(origin.url) cannot be fetched: the connection was refused, "),
                ("localhost/a", EX_NOINPUT, "localhost/a is not a file; a URL begins with http:// or https://"),
                ("-", EX_DATAERR, "standard input: "),
            ]
            for (source, expected, message) in wrong {
                try await ProgramProcess.run("larder", ["explain", source]) { program in
                    let status = try await program.status()
                    let line = "larder: error: " + message
                    #expect(status == expected && program.output.hasPrefix(line), "\(program.output)")
                }
            }
        }
    }

    @Test(arguments: [["--help"], ["serve", "--help"], ["help"]]) func `The program prints its help`(
        _ arguments: [String]
    ) async throws {
        try await ProgramProcess.run("larder", arguments) { program in
            let status = try await program.status()
            #expect(status == 0 && program.output.contains("USAGE: larder"))
        }
    }

    @Test func `The program prints its version`() async throws {
        try await ProgramProcess.run("larder", ["--version"]) { program in
            let status = try await program.status()
            let words = program.output.split(whereSeparator: \.isWhitespace)
            #expect(status == 0 && words.count == 2 && words[0] == "larder")
        }
    }
}
