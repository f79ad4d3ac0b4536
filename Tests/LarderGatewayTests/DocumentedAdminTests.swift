import Foundation
import TestHelpers
import Testing

/// Runs the commands of the page about the admin API, in its order, and compares the answers with those of the page.
@Suite(.timeLimit(.minutes(5))) struct DocumentedAdminTests {
    /// A command, and the answer behind it.
    private struct Example {
        let command: String
        let answer: Any?
    }

    private static func examples() throws -> [Example] {
        let blocks = try PackageFolder.text(of: "docs/admin.md").components(separatedBy: "```")
        var examples: [Example] = []
        for (place, block) in blocks.enumerated() where block.hasPrefix("sh\n") {
            let commands = block.dropFirst(3).split(separator: "\n").map(String.init)
            let next = place + 2 < blocks.count ? blocks[place + 2] : ""
            for command in commands {
                let isLast = command == commands.last && next.hasPrefix("json\n")
                let answer = isLast ? try JSONSerialization.jsonObject(with: Data(next.dropFirst(5).utf8)) : nil
                examples.append(Example(command: command, answer: answer))
            }
        }
        return examples
    }

    /// Returns where a value differs from the one on the page, besides numbers and times; nil if it does not. Of lists
    /// of fields the first is compared.
    private static func difference(_ page: Any, _ found: Any, at place: String) -> String? {
        switch (page, found) {
        case (let page as [String: Any], let found as [String: Any]):
            guard Set(page.keys) == Set(found.keys) else { return "\(place): \(found.keys.sorted())" }
            for (name, value) in page {
                if let found = found[name], let deviation = difference(value, found, at: "\(place).\(name)") {
                    return deviation
                }
            }
            return nil
        case (let page as [Any], let found as [Any]):
            guard page.isEmpty == found.isEmpty else { return "\(place): \(found.count) elements" }
            guard let first = page.first, let other = found.first else { return nil }
            return place.hasSuffix(".fields") ? nil : difference(first, other, at: place + "[0]")
        case (let page as String, let found as String):
            let pattern = /[0-9.:TZ-]{24}|[0-9]+/
            let same = page.replacing(pattern, with: "N") == found.replacing(pattern, with: "N")
            return same ? nil : "\(place): \(found)"
        case (is NSNumber, is NSNumber): return nil
        default: return "\(place): \(found)"
        }
    }

    @Test func `The commands of the page about the admin API get the answers of the page`() async throws {
        let examples = try Self.examples()
        #expect(examples.count > 8 && examples.contains { $0.answer != nil })
        let example = try FreePort.take()
        try await ProgramProcess.run("larder-demo", environment: ["PORT": "\(example)"]) { program in
            try await program.listens(on: example)
            let port = try FreePort.take()
            let arguments = [
                "serve", "--config", PackageFolder.root.appending(path: "Examples/Gateway/larder.yaml").path,
                "--origin", "http://127.0.0.1:\(example)", "--listen", "127.0.0.1:\(port)",
            ]
            try await ProgramProcess.run("larder", arguments, environment: ["LARDER_ADMIN_ACCESS": "loopback"]) {
                gateway in
                try await gateway.listens(on: port)
                for example in examples { try await Self.check(example, port) }
            }
        }
    }

    private static func check(_ example: Example, _ port: Int) async throws {
        let command = example.command.replacing("127.0.0.1:8000", with: "127.0.0.1:\(port)")
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let script = command.replacing("curl ", with: "curl -w '\\n%{http_code}' ")
        let output = try await ProgramProcess.run("/bin/sh", ["-c", script], environment: ["PATH": path]) { shell in
            let status = try await shell.status()
            #expect(status == 0)
            return shell.output
        }
        let status = output.split(separator: "\n").last.map(String.init) ?? ""
        #expect(status == (example.command.hasSuffix("# 400") ? "400" : "200"), "\(command): \(output)")
        guard let answer = example.answer else { return }
        let found = try JSONSerialization.jsonObject(with: Data(output.dropLast(status.count + 1).utf8))
        #expect(difference(answer, found, at: "") == nil, "\(command): \(output)")
    }
}
