import Foundation
import TestHelpers
import Testing

/// The manual pages, the completions and the help of the program.
@Suite(.timeLimit(.minutes(5))) struct ManualTests {
    private static let commands = ["stats", "top", "ls", "inspect", "purge", "warm"]

    private static func program(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static func pages() throws -> [String] {
        let folder = PackageFolder.root.appending(path: "Operators/man").path
        return try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".1") }.sorted()
    }

    @Test func `The manual pages are those of the commands`() async throws {
        try await LarderCommandLine.withFolder { folder in
            let (status, output) = try await LarderCommandLine.run("larder manual .", in: folder)
            #expect(status == 0, "\(output)")
            let written = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(written == (try Self.pages()), "run `make manual`")
            #expect(Self.commands.allSatisfy { written.contains("larder-\($0).1") } && written.contains("larder.1"))
            for name in written {
                let page = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
                #expect(try PackageFolder.text(of: "Operators/man/\(name)") == page, "\(name): run `make manual`")
            }
        }
    }

    @Test(.enabled(if: program("groff") != nil)) func `groff formats the pages without a warning`() async throws {
        for page in try Self.pages() {
            let file = PackageFolder.root.appending(path: "Operators/man/\(page)").path
            let command = "groff -man -ww -Tutf8 -z '\(file)'"
            let (status, output) = try await LarderCommandLine.run(command)
            #expect(status == 0 && output.isEmpty, "\(page): \(output)")
        }
    }

    @Test(.enabled(if: program("mandoc") != nil)) func `mandoc finds nothing in the pages`() async throws {
        for page in try Self.pages() {
            let file = PackageFolder.root.appending(path: "Operators/man/\(page)").path
            let (status, output) = try await LarderCommandLine.run("mandoc -T lint -W warning '\(file)'")
            #expect(status == 0 && output.isEmpty, "\(page): \(output)")
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func `A shell accepts its completions`(_ shell: String) async throws {
        try await LarderCommandLine.withFolder { folder in
            let make = "larder --generate-completion-script \(shell) > script"
            let (status, output) = try await LarderCommandLine.run(make, in: folder)
            #expect(status == 0 && output.isEmpty, "\(output)")
            let script = try String(contentsOf: folder.appending(path: "script"), encoding: .utf8)
            for command in Self.commands { #expect(script.contains(command), "\(command)") }
            #expect(script.contains("token-file") && script.contains("dry-run"))
            // CI installs all three (make tools); elsewhere a shell may be missing.
            guard let program = Self.program(shell) else { return }
            let check = try await LarderCommandLine.run("'\(program)' -n script", in: folder)
            #expect(check.status == 0 && check.output.isEmpty, "\(check.output)")
        }
    }

    @Test(arguments: commands) func `The help of a command has examples and its exit statuses`(
        _ command: String
    ) async throws {
        let (status, output) = try await LarderCommandLine.run("larder \(command) --help")
        #expect(status == 0 && output.contains("\nEXAMPLES\n  larder \(command)"), "\(output)")
        for code in ["  0   ", "  1   ", "  64  ", "  69  ", "  77  "] {
            #expect(output.contains("\n\(code)"), "\(code)")
        }
        #expect(output.contains("--json") && output.contains("LARDER_ADMIN_URL") && output.contains("--timeout"))
        // An example that is too long continues without its indentation.
        let examples = output.split(separator: "\n\n").filter {
            $0.hasPrefix("EXAMPLES") || $0.hasPrefix("EXIT STATUS")
        }
        #expect(examples.count == 2)
        for line in examples.flatMap({ $0.split(separator: "\n").dropFirst() }) {
            #expect(line.hasPrefix("  "), "\(line)")
        }
    }
}
