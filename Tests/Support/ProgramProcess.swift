import Foundation

/// A built program that runs as a child process with a given environment. It is ended when the test is over.
public final class ProgramProcess: Sendable {
    private let process: ChildProcess
    private let log: URL
    private let ended: AsyncStream<Int32>

    private init(
        _ program: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ sockets: [ListeningSocket]
    ) throws {
        let name = URL(filePath: program).lastPathComponent
        log = FileManager.default.temporaryDirectory.appending(path: "\(name)-\(UUID().uuidString).log")
        try Data().write(to: log)
        let (ended, end) = AsyncStream.makeStream(of: Int32.self)
        self.ended = ended
        var (executable, arguments, environment) = (try Self.executable(program), arguments, environment)
        if !sockets.isEmpty {
            // The variable has the ID of the process, which is not known before it starts.
            let script = "LISTEN_PID=$$ exec \"$0\" \"$@\""
            (executable, arguments) = (URL(filePath: "/bin/sh"), ["-c", script, executable.path] + arguments)
            environment.merge(ListeningSocket.environment(of: sockets)) { own, _ in own }
        }
        process = try ChildProcess(
            executable,
            arguments,
            environment: environment,
            output: log.path,
            descriptors: sockets.map(\.descriptor)
        ) { status in
            end.yield(status)
            end.finish()
        }
    }

    /// The ID of the process.
    public var pid: Int32 { process.pid }

    /// Starts a program, and ends it after `body`.
    /// - Parameters:
    ///   - program: The name of a program that is built with the tests, or the path of another program.
    ///   - sockets: The sockets that the program gets, as from systemd (`sd_listen_fds(3)`).
    public static func run<Value: Sendable>(
        _ program: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        sockets: [ListeningSocket] = [],
        _ body: (ProgramProcess) async throws -> Value
    ) async throws -> Value {
        try await ProcessSlots.run {
            let program = try ProgramProcess(program, arguments, environment, sockets)
            defer { program.end() }
            return try await body(program)
        }
    }

    /// The text that the program wrote to its standard output and its standard error so far.
    public var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// Waits until the program listens on a port.
    public func listens(on port: Int) async throws {
        try await eventually("it listens: \(output)") {
            (try? await Wire.open(to: port) { _ in true }) == true
        }
    }

    /// Waits until the program has ended, 60 seconds at most.
    /// - Returns: The exit status; negative if a signal ended the program.
    public func status() async throws -> Int32 {
        try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask { [ended] in await ended.first { _ in true } }
            group.addTask {
                try await Task.sleep(for: .seconds(60))
                return nil
            }
            defer { group.cancelAll() }
            guard let status = try await group.next() ?? nil else {
                throw Unusable(description: "the program did not end: \(output)")
            }
            return status
        }
    }

    /// Sends the program a signal if it runs.
    public func signal(_ signal: Int32) {
        process.signal(signal)
    }

    #if os(Linux)
        /// Returns a line of `/proc/PID/status`, such as `VmRSS`, in bytes.
        public func memory(_ name: String) throws -> Int {
            guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else {
                let status = process.exitStatus.map { "\($0)" } ?? "an unknown status"
                throw Unusable(description: "the program ended with \(status): \(output)")
            }
            let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            guard let line, let number = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
                throw Unusable(description: "the process has no \(name)")
            }
            return number << 10
        }
    #endif

    private func end() {
        signal(SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: log)
    }

    /// Returns the path of a program that is built with the tests.
    public static func path(of program: String) throws -> String { try executable(program).path }

    /// Returns the program, which is beside the bundle of the tests unless it is a path.
    private static func executable(_ program: String) throws -> URL {
        if program.hasPrefix("/") { return URL(filePath: program) }
        let beside = Bundle.allBundles.map(\.bundleURL) + CommandLine.arguments.prefix(1).map { URL(filePath: $0) }
        let candidates = beside.map { $0.deletingLastPathComponent().appending(path: program) }
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
            throw Unusable(description: "\(program) is not built beside the tests: swift build --build-tests")
        }
        return found
    }
}

/// An error for something that a test needs and that is missing.
public struct Unusable: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) { self.description = description }
}
