import Foundation
import LarderTestSupport
import Testing

/// Runs the shell commands of the documentation against real programs, on free ports.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DocumentedCommandTests {
    /// A line of a shell block, with the comment behind it.
    private struct Command {
        let text: String
        let comment: String

        var program: String { String(text.prefix { $0 != " " }) }
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
        let text = replacements.reduce(command.text) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let environment = ["PATH": path, "LARDER_ADMIN_TOKEN": "a-token-of-the-test"]
        let script = "cd '\(PackageFolder.root.path)' && \(text)"
        return try await ProgramProcess.run("/bin/sh", ["-c", script], environment: environment) { shell in
            (try await shell.status(), shell.output)
        }
    }

    /// Runs a command, and checks that it succeeds and prints what its comment promises.
    private static func check(_ command: Command, _ replacements: [String: String]) async throws {
        let (status, output) = try await run(command, replacements)
        #expect(status == 0, "\(command.text): \(output)")
        guard command.program == "curl" else {
            #expect(!output.isEmpty, "\(command.text)")
            return
        }
        if command.text.contains(" -i") { #expect(output.contains("HTTP/1.1 2"), "\(command.text): \(output)") }
        guard let promise = command.comment.range(of: "Cache-Status: ").map({ command.comment[$0.lowerBound...] })
        else { return }
        let fields = output.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("Cache-Status: ") }
        let last = fields.last.map(String.init) ?? ""
        for fragment in promise.components(separatedBy: "…") {
            let expected = fragment.trimmingCharacters(in: CharacterSet(charactersIn: "; "))
            #expect(expected.isEmpty || last.contains(expected), "\(command.text): \(output)")
        }
    }

    /// Starts the example API.
    private static func withExample(
        _ environment: [String: String] = [:],
        _ test: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let port = try await FreePort.take()
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

    @Test func `The commands of the gateway reference do what they say`() async throws {
        let commands = try Self.commands(in: "docs/gateway.md").filter { ["curl", "larder"].contains($0.program) }
        #expect(commands.count > 8)
        try await Self.withExample { example in
            let port = try await FreePort.take()
            let arguments = [
                "serve", "--config", PackageFolder.root.appending(path: "Examples/Gateway/larder.yaml").path,
                "--origin", "http://127.0.0.1:\(example)", "--listen", "127.0.0.1:\(port)",
                "--admin-access", "loopback",
            ]
            try await ProgramProcess.run("larder", arguments) { gateway in
                try await gateway.listens(on: port)
                let program = try ProgramProcess.path(of: "larder")
                for command in commands {
                    try await Self.check(
                        command,
                        [
                            "127.0.0.1:8000": "127.0.0.1:\(port)", "127.0.0.1:9000": "127.0.0.1:\(example)",
                            "larder check larder.yaml": "'\(program)' check Examples/Gateway/larder.yaml",
                            "larder explain --config larder.yaml":
                                "LARDER_ORIGIN=http://127.0.0.1:\(example) '\(program)' explain "
                                + "--config Examples/Gateway/larder.yaml",
                            "| larder explain": "| '\(program)' explain",
                        ]
                    )
                }
            }
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
