import Foundation
import HummingbirdTesting
import NIOCore
import NIOPosix
import Testing

/// A program of a test, which is ended by its ID.
final class ChildProcess {
    private let process = Process()

    /// Starts a program.
    init(_ executable: URL, _ arguments: [String] = [], environment: [String: String] = [:], in directory: URL) throws {
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.currentDirectoryURL = directory
        process.standardOutput = FileHandle.nullDevice
        try process.run()
    }

    deinit { kill() }

    var isRunning: Bool { process.isRunning }

    /// Ends the program as a crash would, and waits for its end.
    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

/// The directory of the programs that are built with the tests.
var productsDirectory: URL {
    #if os(macOS)
        Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }!.bundleURL.deletingLastPathComponent()
    #else
        Bundle.main.bundleURL
    #endif
}

/// Returns the path of a program that is installed.
func installed(_ name: String) throws -> URL {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/usr/local/bin"
    let files = path.split(separator: ":").map { URL(filePath: "\($0)/\(name)") }
    return try #require(files.first { FileManager.default.isExecutableFile(atPath: $0.path) }, "\(name) is missing")
}

/// Returns a port of 127.0.0.1 that is free now, below those that the system gives to clients.
func freePort() async throws -> Int {
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    while true {
        let port = Int.random(in: 10_000..<32_000)
        guard let channel = try? await bootstrap.bind(host: "127.0.0.1", port: port).get() else { continue }
        try await channel.close()
        return port
    }
}

/// Waits until a program listens on the port, and fails if it ends before.
func waitUntilListening(_ port: Int, _ process: ChildProcess) async throws {
    let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    try await eventually {
        try #require(process.isRunning, "the program on port \(port) has ended")
        guard let channel = try? await bootstrap.connect(host: "127.0.0.1", port: port).get() else { return false }
        try? await channel.close()
        return true
    }
}
