import Foundation
import TestHelpers
import Testing

/// Configurations from standard input (`--config -`).
@Suite(.timeLimit(.minutes(5))) struct StandardInputTests {
    /// Runs the program with a text on its standard input.
    private static func run<Value: Sendable>(
        _ arguments: [String],
        reading text: String,
        _ body: (ProgramProcess, URL) async throws -> Value
    ) async throws -> Value {
        let directory = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let input = directory.appending(path: "input")
        try Data(text.replacing("DIRECTORY", with: directory.path).utf8).write(to: input)
        let program = try ProgramProcess.path(of: "larder")
        let script = "exec < \"$0\"; exec \"$@\""
        return try await ProgramProcess.run("/bin/sh", ["-c", script, input.path, program] + arguments) { program in
            try await body(program, directory)
        }
    }

    @Test func `A gateway with a configuration from standard input reopens its log, and cannot be reloaded`()
        async throws
    {
        let port = try FreePort.take()
        let text = "origin: http://127.0.0.1:9\nlisten: 127.0.0.1:\(port)\naccess-log: DIRECTORY/access.log\n"
        try await Self.run(["serve", "--config", "-"], reading: text) { gateway, directory in
            let (log, old) = (directory.appending(path: "access.log"), directory.appending(path: "old.log"))
            try await gateway.listens(on: port)
            #expect(try await Wire.send("GET", "/-/larder/health", to: port).status == 200)
            try await eventually("the line is written") { (try? Data(contentsOf: log))?.isEmpty == false }
            try FileManager.default.moveItem(at: log, to: old)
            gateway.signal(SIGHUP)
            try await eventually("the error is logged: \(gateway.output)") {
                gateway.output.contains("The configuration cannot be reloaded, and is unchanged")
            }
            let error = "standard input cannot be read twice: give the configuration as a file to reload it"
            #expect(gateway.output.contains(error), "\(gateway.output)")
            // The log was opened again, and the gateway still serves.
            #expect(try await Wire.send("GET", "/-/larder/ready", to: port).status == 200)
            try await eventually("the line is written") { (try? Data(contentsOf: log))?.isEmpty == false }
            #expect(try String(contentsOf: log, encoding: .utf8).contains("GET /-/larder/ready "))
            #expect(try String(contentsOf: old, encoding: .utf8).contains("GET /-/larder/health "))
        }
    }

    @Test func `Diagnostics name standard input as compilers do`() async throws {
        let text = "origin: http://127.0.0.1:9\nlog-level: loud\n"
        for arguments in [["serve", "--config", "-"], ["check", "-"], ["explain", "--config", "-", "http://a/"]] {
            try await Self.run(arguments, reading: text) { program, _ in
                let status = try await program.status()
                #expect(status == EX_CONFIG && program.output.hasPrefix("<stdin>:2:12: error: `log-level`: "))
            }
        }
    }

    @Test func `A check and an explanation read standard input once`() async throws {
        let text = "origin: http://127.0.0.1:9\nhosts: [shop.example]\nroutes: [{path: /a, ttl: 5m}]\n"
        try await Self.run(["check", "-"], reading: text) { program, _ in
            let status = try await program.status()
            #expect(status == 0 && program.output.contains("responses are fresh as declared, or for 5m"))
        }
        try await Self.run(["explain", "--config", "-", "http://other.example/a"], reading: text) { program, _ in
            let status = try await program.status()
            #expect(status == 0 && program.output.hasPrefix("Not served: "), "\(program.output)")
        }
        try await Self.run(["explain", "--config", "-", "-"], reading: text) { program, _ in
            let status = try await program.status()
            #expect(status == EX_USAGE && program.output.contains("cannot be both"), "\(program.output)")
        }
    }

    @Test func `Input that is not UTF-8 or too large is one clear error`() async throws {
        let large = "# " + String(repeating: "a", count: 1 << 20)
        try await Self.run(["check", "-"], reading: large) { program, _ in
            let status = try await program.status()
            #expect(status == EX_CONFIG && program.output.contains("larger than 1 MiB"), "\(program.output)")
        }
    }
}
