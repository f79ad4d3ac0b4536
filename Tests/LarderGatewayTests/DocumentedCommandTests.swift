import Foundation
import LarderTestSupport
import TestHelpers
import Testing

/// Runs the shell commands of the documentation against real programs, on free ports.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DocumentedCommandTests {
    private static let token = "a-token-of-the-test"

    /// A line of a shell block, with the comment behind it.
    private struct Command {
        let text: String
        let comment: String

        /// The program whose output the user sees.
        var program: String {
            let last = text.components(separatedBy: " | ").last ?? text
            return String(last.prefix { $0 != " " })
        }
    }

    private static func commands(in page: String) throws -> [Command] {
        let blocks = try PackageFolder.text(of: page).components(separatedBy: "```sh\n").dropFirst()
        return blocks.flatMap { block in
            block.components(separatedBy: "```")[0].split(separator: "\n").map { line in
                let parts = String(line).components(separatedBy: " #")
                return Command(
                    text: parts[0].trimmingCharacters(in: .whitespaces),
                    comment: parts.dropFirst().joined(separator: " #").trimmingCharacters(in: .whitespaces)
                )
            }
        }
    }

    /// Runs a command in a shell, with the ports and programs of this test in place of those of the documentation.
    /// - Returns: The exit status, and the text on standard output and standard error.
    private static func run(
        _ command: Command,
        _ replacements: [String: String]
    ) async throws -> (status: Int32, output: String) {
        var text = command.text
        for (old, new) in replacements.sorted(by: { $0.key.count > $1.key.count }) {
            text = text.replacingOccurrences(of: old, with: new)
        }
        if command.program == "curl" { text = text.replacing("curl ", with: "curl -sS -w '\\nstatus %{http_code}' ") }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let environment = ["PATH": path, "LARDER_ADMIN_TOKEN": token]
        let script = "cd '\(PackageFolder.root.path)' && \(text)"
        return try await ProgramProcess.run("/bin/sh", ["-c", script], environment: environment) { shell in
            (try await shell.status(), shell.output)
        }
    }

    /// Runs a command, and checks that it succeeds and prints what its comment promises: a status, JSON, or a
    /// `Cache-Status` with `…` for what is left out.
    private static func check(_ command: Command, _ replacements: [String: String]) async throws {
        let (status, output) = try await run(command, replacements)
        let name = Comment(rawValue: "\(command.text): \(output)")
        #expect(status == 0 && !output.isEmpty, name)
        // redis-cli ends with 0 after an error of the server: `ERR …`, `WRONGTYPE …`.
        #expect(output.prefixMatch(of: #/[A-Z]+ /#) == nil || command.program != "redis-cli", name)
        guard command.program == "curl" else { return }
        let expected = command.comment.firstMatch(of: #/\b[45][0-9]{2}\b/#).map { String($0.output) } ?? "2"
        #expect(output.contains("\nstatus \(expected)"), name)
        guard !command.comment.hasPrefix("{") else {
            #expect(output.contains(command.comment), name)
            return
        }
        guard let promise = command.comment.range(of: "Cache-Status: ").map({ command.comment[$0.lowerBound...] })
        else {
            #expect(!command.comment.contains("Cache"), "\(command.comment) is not checked")
            return
        }
        let fields = output.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("Cache-Status: ") }
        let last = fields.last.map(String.init) ?? ""
        for fragment in promise.components(separatedBy: "…") {
            let expected = fragment.trimmingCharacters(in: CharacterSet(charactersIn: "; "))
            #expect(expected.isEmpty || last.contains(expected), name)
        }
    }

    /// Starts the example API.
    private static func withExample(
        _ environment: [String: String] = [:],
        _ test: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let port = try FreePort.take()
        let all = environment.merging(["PORT": "\(port)", "LARDER_ADMIN_ACCESS": "loopback"]) { own, _ in own }
        try await ProgramProcess.run("larder-demo", environment: all) { example in
            try await example.listens(on: port)
            try await test(port)
        }
    }

    @Test(arguments: ["README.md", "CONTRIBUTING.md", "docs/gateway.md"])
    func `Every make target of the documentation exists`(_ page: String) async throws {
        let commands = try Self.commands(in: page).filter { $0.program == "make" }
        #expect(!commands.isEmpty)
        for command in commands {
            let (status, output) = try await Self.run(command, ["make ": "make -n "])
            #expect(status == 0 && !output.isEmpty, "\(command.text): \(output)")
        }
    }

    @Test func `The commands of the README do what they say`() async throws {
        let commands = try Self.commands(in: "README.md").filter { $0.program == "curl" }
        #expect(commands.count > 3)
        try await Self.withExample { port in
            for command in commands { try await Self.check(command, ["127.0.0.1:8080": "127.0.0.1:\(port)"]) }
        }
    }

    @Test func `The commands of the example's page do what they say`() async throws {
        let commands = try Self.commands(in: "Examples/Demo/README.md").filter { $0.program == "curl" }
        #expect(commands.count > 5)
        try await Self.withExample { port in
            for command in commands { try await Self.check(command, ["127.0.0.1:8080": "127.0.0.1:\(port)"]) }
        }
    }

    @Test func `The commands of the gateway reference do what they say`() async throws {
        let commands = try Self.commands(in: "docs/gateway.md").filter { ["curl", "larder"].contains($0.program) }
        #expect(commands.count > 8)
        try await Self.withExample { example in
            let port = try FreePort.take()
            let program = try ProgramProcess.path(of: "larder")
            let replacements = [
                "127.0.0.1:8000": "127.0.0.1:\(port)", "127.0.0.1:9000": "127.0.0.1:\(example)",
                "larder check larder.yaml": "'\(program)' check Examples/Gateway/larder.yaml",
                "larder explain --config larder.yaml":
                    "LARDER_ORIGIN=http://127.0.0.1:\(example) '\(program)' explain "
                    + "--config Examples/Gateway/larder.yaml",
                "| larder explain": "| '\(program)' explain",
            ]
            // A gateway has a token, or it trusts loopback clients.
            let needsToken = { (command: Command) in command.text.contains("LARDER_ADMIN_TOKEN") }
            let arguments = [
                "serve", "--config", PackageFolder.root.appending(path: "Examples/Gateway/larder.yaml").path,
                "--origin", "http://127.0.0.1:\(example)", "--listen", "127.0.0.1:\(port)",
            ]
            for hasToken in [false, true] {
                let environment = hasToken ? ["LARDER_ADMIN_TOKEN": Self.token] : ["LARDER_ADMIN_ACCESS": "loopback"]
                try await ProgramProcess.run("larder", arguments, environment: environment) { gateway in
                    try await gateway.listens(on: port)
                    for command in commands where needsToken(command) == hasToken {
                        try await Self.check(command, replacements)
                    }
                }
            }
        }
    }

    @Test func `The health checks of the deployment page do what they say`() async throws {
        let commands = try Self.commands(in: "docs/deployment.md").filter { $0.program == "larder" }
        #expect(commands.count >= 3)
        let port = try FreePort.take()
        let program = try ProgramProcess.path(of: "larder")
        let replacements = [
            "127.0.0.1:8000": "127.0.0.1:\(port)",
            "larder health": "LARDER_LISTEN=127.0.0.1:\(port) '\(program)' health",
        ]
        let arguments = ["serve", "--origin", "http://127.0.0.1:9", "--listen", "127.0.0.1:\(port)"]
        try await ProgramProcess.run("larder", arguments) { gateway in
            try await gateway.listens(on: port)
            for command in commands { try await Self.check(command, replacements) }
        }
    }

    @Test func `The systemd units are valid, and the program runs under socket activation`() async throws {
        let script = PackageFolder.root.appending(path: "Operators/systemd/check.sh").path
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let arguments = [script, try ProgramProcess.path(of: "larder")]
        try await ProgramProcess.run("/usr/bin/env", ["bash"] + arguments, environment: ["PATH": path]) { script in
            let status = try await script.status()
            // Without a tool, the script says which one is missing.
            let isIncomplete = status == 2 && script.output.contains("because this is missing")
            #expect(status == 0 || isIncomplete, "\(script.output)")
        }
    }

    @Test func `The commands of the Redis page do what they say`() async throws {
        let commands = try Self.commands(in: "docs/redis.md").filter { $0.program == "redis-cli" }
        #expect(commands.count > 3)
        try await RedisProcess.run { redis in
            try await Self.withExample(["REDIS_URL": "redis://127.0.0.1:\(redis.port)"]) { port in
                try await eventually("the response is stored in Redis") {
                    let answer = try? await Wire.send("GET", "/api/posts/", to: port)
                    return answer?.isHit == true
                }
                _ = try await Wire.send("POST", "/api/users/", body: "{\"name\":\"A\"}", to: port)
                for command in commands {
                    try await Self.check(command, ["redis-cli": "redis-cli -p \(redis.port)"])
                }
            }
        }
    }
}
