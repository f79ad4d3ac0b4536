import Foundation
import TestHelpers
import Testing

/// Checks that the manifest, the imports and the folders agree.
@Suite(.timeLimit(.minutes(5))) struct ManifestTests {
    /// A target as the manifest declares it.
    struct Target: CustomTestStringConvertible {
        let name: String
        let path: String
        let dependencies: Set<String>
        var testDescription: String { name }
    }

    /// Modules that come with the toolchain or the system.
    static let systemModules: Set<String> = [
        "Darwin", "Dispatch", "Foundation", "FoundationEssentials", "FoundationXML", "Glibc", "Musl",
        "Synchronization", "Testing",
    ]

    /// Returns the targets that the text of `Package.swift` declares.
    static func targets() throws -> [Target] {
        let manifest = try PackageFolder.text(of: "Package.swift")
        var aliases: [String: String] = [:]
        let alias = /let (\w+): \[?Target\.Dependency\]? =[^"]*?\.product\(\s*name: "(\w+)"/
        for match in manifest.matches(of: alias) { aliases[String(match.1)] = String(match.2) }
        let declaration =
            /\.(target|executableTarget|testTarget)\(\s*name: "(\w+)"(?:,\s*dependencies: \[(.*?)\n?\s*\](?: \+ (\w+))?)?(?:,\s*path: "(.*?)")?(?:,\s*exclude: \[[^\]]*\])?(?:,\s*packageAccess: false)?\s*\)/
            .dotMatchesNewlines()
        return manifest.matches(of: declaration).map { match in
            let list = (match.3.map(String.init) ?? "") + (match.4.map { ", \($0)" } ?? "")
            let direct = list.matches(of: /(?:^|[\s,])"(\w+)"/).map { String($0.1) }
            let products = list.matches(of: /\.product\(name: "(\w+)"/).map { String($0.1) }
            let unquoted = list.replacing(/"[^"]*"/, with: "")
            let named = unquoted.matches(of: /\b([a-z]\w+)\b/).compactMap { aliases[String($0.1)] }
            let folder = match.1 == "testTarget" ? "Tests" : "Sources"
            return Target(
                name: String(match.2),
                path: match.5.map(String.init) ?? "\(folder)/\(match.2)",
                dependencies: Set(direct + products + named)
            )
        }
    }

    /// The folders that no target of this package has: a package that `make test-consumer` resolves, mistakes that
    /// `make test-compiler-errors` has the compiler report, a script of `make test-api`, and the tests in a browser of
    /// `make test-dashboard`.
    static let others = ["Tests/Consumer", "Tests/CompilerErrors", "Tests/API", "Tests/Dashboard"]

    @Test func `Every folder of sources is a target`() throws {
        let paths = Set(try Self.targets().map(\.path) + Self.others)
        for folder in ["Sources", "Tests", "Examples/Demo", "Examples/Store"] {
            let names = try FileManager.default.contentsOfDirectory(
                atPath: PackageFolder.root.appending(path: folder).path
            )
            for name in names where !name.contains(".") {
                #expect(paths.contains("\(folder)/\(name)"), "\(folder)/\(name)")
            }
        }
    }

    @Test(arguments: try targets()) func `A target imports what the manifest declares, and all of it`(
        _ target: Target
    ) throws {
        var imported: Set<String> = []
        for file in try TidyTests.files(below: target.path) {
            for line in file.lines {
                guard let module = TidyTests.importedModule(line) else { continue }
                imported.insert(module)
                #expect(
                    target.dependencies.contains(module) || Self.systemModules.contains(module),
                    "\(file.path) imports \(module), which the manifest does not declare for \(target.name)"
                )
            }
        }
        // A program that a test starts is a dependency without an import.
        let programs: Set = ["LarderCLI", "LarderDemoMain"]
        #expect(target.dependencies.subtracting(imported).subtracting(programs) == [])
    }

    /// The folders that a target may have, and the only files beside them.
    static let layout: [(target: String, folders: Set<String>, files: Set<String>)] = [
        ("Sources/HTTPCaching", ["Fields", "Freshness", "Parsing", "Reuse", "Storing"], []),
        (
            "Sources/Larder",
            ["Coalescing", "Fetching", "Invalidation", "Keys", "Metrics", "Policy", "Requests", "Stores", "Values"],
            ["ResponseCache.swift", "WallClock.swift"]
        ),
        ("Sources/LarderTestSupport", ["Responses", "Stores"], ["ManualClock.swift"]),
        (
            "Sources/LarderSimulation", ["Formats", "Input", "Replay", "Report"],
            ["LogReader.swift", "LogRecord.swift", "RecordBuilder.swift", "Simulation.swift"]
        ),
        ("Sources/RedisClient", ["Client", "Commands", "Connection", "RESP"], []),
        (
            "Sources/LarderGateway", ["Admin", "Configuration", "Routing", "Server", "Upstream"],
            ["ActiveConfiguration.swift", "Gateway.swift", "Gateway+Reload.swift"]
        ),
    ]

    @Test(arguments: layout) func `Folders hold what the layout says`(
        _ target: String,
        _ folders: Set<String>,
        _ files: Set<String>
    ) throws {
        let found = try FileManager.default.contentsOfDirectory(
            atPath: PackageFolder.root.appending(path: target).path
        )
        #expect(Set(found.filter { !$0.hasPrefix(".") }) == folders.union(files))
    }
}
