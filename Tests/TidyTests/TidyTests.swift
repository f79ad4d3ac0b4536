import Foundation
import TestHelpers
import Testing

/// The project's rules that a program can check: layout, imports between targets, and words that sources must not have.
@Suite(.timeLimit(.minutes(5))) struct TidyTests {
    /// A source file, by its path from the root.
    struct File: CustomTestStringConvertible {
        let path: String
        let lines: [String]
        var testDescription: String { path }
    }

    static func files(below folder: String) throws -> [File] {
        let base = PackageFolder.root.appending(path: folder)
        let walker = try #require(FileManager.default.enumerator(atPath: base.path))
        let paths = walker.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }
        // An example that is a package has a folder `.build`, with the sources of its dependencies.
        return try paths.filter { !$0.contains("/.") && !$0.hasPrefix(".") }.sorted().map { path in
            let text = try String(contentsOf: base.appending(path: path), encoding: .utf8)
            return File(path: "\(folder)/\(path)", lines: text.components(separatedBy: "\n"))
        }
    }

    /// Returns all files except those of tests.
    static func sources() throws -> [File] { try files(below: "Sources") + files(below: "Examples") }

    /// Returns the module that a line imports; nil if it imports none.
    static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let place = words.firstIndex(of: "import"), place <= 1, place + 1 < words.count else { return nil }
        return words[place + 1].split(separator: ".").first.map(String.init)
    }

    @Test func `There are sources to check`() throws {
        #expect(try Self.files(below: "Sources").count > 50)
    }

    @Test(arguments: try sources()) func `A file of sources has at most 400 lines`(_ file: File) {
        #expect(file.lines.count <= 400)
    }

    @Test(arguments: try sources() + files(below: "Tests"))
    func `A line has at most 120 columns`(_ file: File) {
        for (number, line) in file.lines.enumerated() where line.count > 120 && !line.contains("@Test func") {
            // A long text in a table stays in one piece.
            #expect(line.contains("\""), "\(file.path):\(number + 1)")
        }
    }

    /// The modules that a target must not import, from the other targets or for I/O; the compiler checks the rest.
    static let banned: [(folder: String, modules: [String])] = [
        ("Sources/HTTPCaching", ["Foundation", "NIOCore", "NIOPosix", "Logging", "Synchronization", "Larder"]),
        ("Sources/Larder", ["Foundation", "Hummingbird", "RedisClient", "NIOPosix", "AsyncHTTPClient"]),
        ("Sources/RedisClient", ["Foundation", "Larder", "HTTPCaching", "HTTPTypes"]),
        ("Sources/SystemErrors", ["Foundation", "Larder", "HTTPCaching", "RedisClient"]),
        ("Sources/LarderRedis", ["Foundation", "Hummingbird", "NIOPosix", "AsyncHTTPClient"]),
        ("Sources/LarderHummingbird", ["RedisClient", "AsyncHTTPClient"]),
        (
            "Sources/LarderTestSupport",
            ["Foundation", "Testing", "XCTest", "LarderRedis", "LarderHummingbird", "TestHelpers"]
        ),
        (
            "Sources/LarderGateway/Configuration",
            ["Hummingbird", "NIOCore", "NIOPosix", "AsyncHTTPClient", "Foundation"]
        ),
        ("Sources/LarderGateway/Routing", ["Hummingbird", "NIOCore", "NIOPosix", "AsyncHTTPClient", "Foundation"]),
        ("Sources/LarderExplain", ["Hummingbird", "NIOCore", "NIOPosix", "AsyncHTTPClient", "Foundation"]),
        ("Sources/LarderSimulation", ["Hummingbird", "NIOPosix", "AsyncHTTPClient", "Foundation", "LarderGateway"]),
        ("Sources/LarderGateway", ["RedisClient", "LarderRedis"]),
    ]

    @Test(arguments: banned) func `Imports run only in one direction`(_ folder: String, _ modules: [String]) throws {
        for file in try Self.files(below: folder) {
            for (previous, line) in zip([""] + file.lines, file.lines) {
                guard let module = Self.importedModule(line) else { continue }
                // Foundation may stand in for FoundationEssentials where that cannot be imported.
                if module == "Foundation", previous == "#else" { continue }
                #expect(!modules.contains(module), "\(file.path): \(line)")
            }
        }
    }

    @Test(arguments: try sources()) func `Sources do not trap on purpose or postpone work`(
        _ file: File
    ) {
        let words = [
            "fatalError" + "(", "try" + "!", "as" + "!", "TO" + "DO", "FIX" + "ME", "@unchecked" + " Sendable",
        ]
        for (number, line) in file.lines.enumerated() {
            for word in words { #expect(!line.contains(word), "\(file.path):\(number + 1)") }
        }
    }

    /// The files that have to poll because they wait for other processes, and a fake server, which can notice only by
    /// polling that a client has left.
    static let polling: Set<String> = [
        "Tests/RedisClientTests/FakeServer.swift", "Tests/Support/Gate.swift", "Tests/Support/ProgramProcess.swift",
    ]

    @Test(arguments: try files(below: "Tests").filter { !polling.contains($0.path) })
    func `Tests do not sleep`(_ file: File) {
        for (number, line) in file.lines.enumerated() {
            for word in ["Task" + ".sleep", "Thread" + ".sleep", "us" + "leep("] {
                #expect(!line.contains(word), "\(file.path):\(number + 1)")
            }
        }
    }

    /// A time limit turns a hang into a failing test. Nested suites inherit the limit of the suite around them. All
    /// tests of a group start together and wait for processor time, so that a limit of less than five minutes can fail
    /// a test that takes a millisecond.
    @Test(arguments: try files(below: "Tests") + files(below: "Examples"))
    func `Every suite has a time limit of at least five minutes`(_ file: File) {
        var isSuite = false
        for (number, line) in file.lines.enumerated() {
            let code = line.drop { $0 == " " }
            guard !code.hasPrefix("//") else { continue }
            isSuite = isSuite || code.hasPrefix("@" + "Suite")
            if code.hasPrefix("@" + "Suite") {
                let limit = code.components(separatedBy: ".timeLimit(.minutes(").dropFirst().first
                let minutes = limit.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
                #expect(minutes >= 5, "\(file.path):\(number + 1)")
            }
            // A test before any suite would be in an implied suite, which has no limit.
            if code.hasPrefix("@" + "Test") { #expect(isSuite, "\(file.path):\(number + 1)") }
        }
    }

    @Test func `One file reads the wall clock`() throws {
        let readers = try Self.files(below: "Sources").filter { file in
            file.lines.contains { line in
                line.contains("clock_gettime") && !line.contains("CLOCK_BOOTTIME") || line.contains("Date.now")
            }
        }
        #expect(readers.map(\.path) == ["Sources/Larder/WallClock.swift"])
    }
}
