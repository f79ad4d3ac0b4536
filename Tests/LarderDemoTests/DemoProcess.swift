import Foundation
import LarderTesting
import NIOConcurrencyHelpers
import Testing

/// The built program in a process of its own, with an environment of its own. It is ended when the test is over.
final class DemoProcess: Sendable {
    private let process: NIOLockedValueBox<Process>
    private let pid: Int32
    private let log: URL
    private let ended: AsyncStream<Int32>

    private init(_ environment: [String: String]) throws {
        log = FileManager.default.temporaryDirectory.appending(path: "larder-demo-\(UUID().uuidString).log")
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        let (ended, end) = AsyncStream.makeStream(of: Int32.self)
        self.ended = ended
        let process = Process()
        process.executableURL = try Self.executable
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        process.terminationHandler = { process in
            // A signal that ended it is no status.
            end.yield(process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus)
            end.finish()
        }
        try process.run()
        pid = process.processIdentifier
        self.process = NIOLockedValueBox(process)
    }

    /// Starts the program, and ends it after `body`.
    static func run(_ environment: [String: String], _ body: (DemoProcess) async throws -> Void) async throws {
        let demo = try DemoProcess(environment)
        defer { demo.end() }
        try await body(demo)
    }

    /// What it wrote to its standard output and its standard error so far.
    var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// Waits until it listens.
    func listens(on port: Int) async throws {
        try await eventually("it listens: \(output)", within: .seconds(60)) {
            (try? await Wire.open(to: port) { _ in true }) == true
        }
    }

    /// Waits until it has ended.
    /// - Returns: its status; negative where a signal ended it.
    func status() async throws -> Int32 {
        let status = await ended.first { _ in true }
        return try #require(status)
    }

    /// Sends it a signal, while it runs.
    func signal(_ signal: Int32) {
        process.withLockedValue { process in
            if process.isRunning { _ = kill(pid, signal) }
        }
    }

    private func end() {
        signal(SIGKILL)
        process.withLockedValue { $0.waitUntilExit() }
        try? FileManager.default.removeItem(at: log)
    }

    /// The program stands beside the bundle of the tests.
    private static var executable: URL {
        get throws {
            let beside = Bundle.allBundles.map(\.bundleURL) + CommandLine.arguments.prefix(1).map { URL(filePath: $0) }
            let candidates = beside.map { $0.deletingLastPathComponent().appending(path: "larder-demo") }
            return try #require(
                candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) },
                "larder-demo is not built beside the tests: swift build --build-tests"
            )
        }
    }
}
