import Foundation
import TestHelpers
import Testing

/// `larder simulate` as a user starts it.
@Suite(.timeLimit(.minutes(5))) struct SimulateCommandTests {
    /// A line of an access log for a target, `minute` minutes after its start.
    private static func line(_ minute: Int, _ target: String, _ size: Int = 1_000) -> String {
        "192.0.2.1 - - [06/Nov/1994:08:\(10 + minute):00 +0000] \"GET \(target) HTTP/1.1\" 200 \(size) \"-\" \"curl\"\n"
    }

    /// Calls a function with a folder that has logs, as those of the documentation are called.
    private static func withLogs(_ test: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func write(_ name: String, _ content: some Sequence<UInt8>) throws {
            try Data(content).write(to: folder.appending(path: name))
        }
        let first = line(0, "/a") + line(1, "/a?utm_source=b")
        let second = line(2, "/a") + line(10, "/a") + "not a line\n"
        try write("access.log.2.gz", try GzipFile.compressed(Array(first.utf8)))
        try write("access.log.1", second.utf8)
        try write("access.log", (first + second).utf8)
        try write(
            "trace.csv.gz",
            try GzipFile.compressed(Array("time,key,size\n0,1,50\n1,1,50\n2,2,60\n3,1,50\n".utf8))
        )
        try write("text", "This is some text.\n".utf8)
        try write("damaged.gz", try GzipFile.compressed(Array(first.utf8)).dropLast(9))
        try await test(folder)
    }

    /// Runs a command line in a folder, with `larder` as the program.
    private static func run(_ command: String, in folder: URL) async throws -> (status: Int32, output: String) {
        let program = try ProgramProcess.path(of: "larder")
        let script = "cd '\(folder.path)' && " + command.replacing("larder simulate", with: "'\(program)' simulate")
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return try await ProgramProcess.run("/bin/sh", ["-c", script], environment: ["PATH": path]) { shell in
            (try await shell.status(), shell.output)
        }
    }

    @Test func `A log is replayed, with one line that is skipped as a warning`() async throws {
        try await Self.withLogs { folder in
            let (status, output) = try await Self.run("larder simulate access.log --policy by-use", in: folder)
            #expect(status == 0)
            let warning = """
                larder: warning: 1 line was skipped, the first at access.log:5: expected a time in square brackets, \
                such as [06/Nov/1994:08:49:37 +0000]

                """
            #expect(output.hasPrefix(warning), "\(output)")
            // Stored at 0 and 1, found at 2, expired at 10.
            #expect(output.contains("With 16 MiB, 25.0 % of 4 requests would have been answered from the cache"))
            #expect(output.contains("Responses are fresh for 5 min, unless the log has their Cache-Control."))
            let lines = output.split(separator: "\n").filter { $0.contains("by-use") }
            #expect(lines.count == 5, "\(output)")
        }
    }

    @Test(arguments: [
        ("larder simulate access.log --ttl none --ignore-query 'utm_*' --policy by-use --memory 1MiB", 0.75),
        ("larder simulate access.log.2.gz access.log.1 --ttl none --policy lru --memory 1MiB", 0.5),
        ("gzip -dc access.log.2.gz | larder simulate - --ttl 1m --policy by-use --memory 1MiB --ignore-query '*'", 0),
        ("cat access.log.2.gz | larder simulate - --ttl 61s --policy by-use --memory 1MiB --ignore-query 'utm_*'", 0.5),
        ("larder simulate trace.csv.gz --memory 60 --overhead 0 --policy lru", 0.25),
        ("larder simulate trace.csv.gz --memory 110 --overhead 0 --policy lru --log-format rows --shards 1", 0.5),
        ("larder simulate trace.csv.gz --memory 1MiB --policy store --body-limit none", 0.5),
        ("larder simulate trace.csv.gz --memory 1MiB --policy by-use --body-limit 55", 0.5),
    ]) func `Options change what is replayed, and JSON has the ratios`(_ command: String, _ ratio: Double) async throws
    {
        try await Self.withLogs { folder in
            let (status, output) = try await Self.run(command + " --format json 2>/dev/null", in: folder)
            #expect(status == 0, "\(output)")
            let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
            let results = try #require(object?["results"] as? [[String: Any]])
            #expect(results.count == 1 && results[0]["hitRatio"] as? Double == ratio, "\(output)")
        }
    }

    @Test(arguments: [
        ("larder simulate", EX_USAGE, "Error: Missing expected argument"),
        ("larder simulate no.log", EX_NOINPUT, "larder: error: no.log cannot be read: the file, or a folder"),
        ("larder simulate .", EX_NOINPUT, "larder: error: . cannot be read: it is a folder: expected a file"),
        ("larder simulate access.log no.log", EX_NOINPUT, "larder: error: no.log cannot be read: "),
        (
            "larder simulate text", EX_DATAERR,
            "larder: error: text:1: expected a line of the Common or Combined Log Format, of nginx, a JSON object, or a"
        ),
        ("larder simulate access.log --log-format json", EX_DATAERR, "larder: error: access.log:1: expected one JSON"),
        ("larder simulate damaged.gz", EX_DATAERR, "larder: error: damaged.gz: the compressed data ends too early"),
        ("larder simulate access.log --memory 1GB", EX_USAGE, "Error: --memory is invalid: expected sizes such as"),
        ("larder simulate access.log --memory 0", EX_USAGE, "Error: --memory is invalid: "),
        ("larder simulate access.log --policy fifo", EX_USAGE, "Error: --policy is invalid: expected a list of by-use"),
        ("larder simulate access.log --ttl 5", EX_USAGE, "Error: --ttl is invalid: expected a number and a unit"),
        ("larder simulate access.log --ttl 0s", EX_USAGE, "Error: --ttl is invalid: "),
        ("larder simulate access.log --body-limit x", EX_USAGE, "Error: --body-limit is invalid: "),
        ("larder simulate access.log --log-format w3c", EX_USAGE, "Error: --log-format is invalid: expected auto, "),
        ("larder simulate access.log --ignore-query 'a=b'", EX_USAGE, "Error: --ignore-query is invalid: "),
        ("larder simulate access.log --overhead 1 --policy store", EX_USAGE, "Error: --overhead is not for the policy"),
        ("larder simulate - -", EX_USAGE, "Error: standard input can be read once"),
        (
            "larder simulate access.log --html no/such/folder.html", EX_CANTCREAT,
            "larder: error: no/such/folder.html cannot be written: its folder"
        ),
    ]) func `What cannot be used is an error in one line, with an exit status`(
        _ command: String,
        _ expected: Int32,
        _ message: String
    ) async throws {
        try await Self.withLogs { folder in
            let (status, output) = try await Self.run(command, in: folder)
            #expect(status == expected && output.hasPrefix(message), "\(status): \(output)")
        }
    }

    @Test func `The commands of the documentation do what they say`() async throws {
        let page = try PackageFolder.text(of: "docs/simulate.md")
        let block = try #require(page.components(separatedBy: "```sh\n").dropFirst().first)
        let commands = block.components(separatedBy: "```")[0].split(separator: "\n").map(String.init)
        #expect(commands.count == 3)
        try await Self.withLogs { folder in
            for command in commands {
                let (status, output) = try await Self.run(command, in: folder)
                #expect(status == 0 && output.contains("would have been answered"), "\(command): \(output)")
            }
            let html = try String(contentsOf: folder.appending(path: "report.html"), encoding: .utf8)
            #expect(html.hasPrefix("<!DOCTYPE html>") && html.contains("<svg "))
        }
    }
}
