import Foundation

/// A server process of its own for one measurement; ended when the measurement is.
struct Measurement {
    /// What runs the server: nothing, or valgrind.
    let launcher: [String]
    let size: Int

    /// The instructions that a request costs: two runs of different length, and their difference, so that the start
    /// and the end of the process count for nothing.
    static func instructions(_ route: Route, size: Int) throws -> Int {
        let counts = [1_000, 3_000]
        let totals = try counts.map { count in
            let profile = FileManager.default.temporaryDirectory.appending(
                path: "larder-\(UUID().uuidString).callgrind"
            )
            defer { try? FileManager.default.removeItem(at: profile) }
            let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=\(profile.path())"]
            try Measurement(launcher: valgrind, size: size).withServer { port in
                let connection = try Connection(port: port)
                try connection.repeatGet(route.path, count: count)
            }
            return try total(of: profile)
        }
        return (totals[1] - totals[0]) / (counts[1] - counts[0])
    }

    /// The requests that the server answers in a second of processor time.
    static func requestsPerSecond(_ route: Route, size: Int, count: Int) throws -> Double {
        try Measurement(launcher: [], size: size).withServer { port in
            let control = try Connection(port: port)
            try control.repeatGet(route.path, count: 2_000)
            let before = try usage(control)
            try load(route.path, port: port, count: count)
            return Double(count) / (Double(try usage(control) - before) / 1_000_000)
        }
    }

    /// Eight connections that ask at once.
    private static func load(_ path: String, port: Int, count: Int) throws {
        let failures = Failures()
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            do {
                try Connection(port: port).repeatGet(path, count: count / 8)
            } catch {
                failures.add(error)
            }
        }
        if let first = failures.first { throw first }
    }

    private static func usage(_ connection: Connection) throws -> Int {
        guard let microseconds = Int(try connection.get("/usage").body) else {
            throw BenchmarkError(description: "The server does not say what it used")
        }
        return microseconds
    }

    /// The total that callgrind writes at the end of its profile.
    private static func total(of profile: URL) throws -> Int {
        let text = try String(contentsOf: profile, encoding: .utf8)
        for line in text.split(separator: "\n") where line.hasPrefix("totals:") || line.hasPrefix("summary:") {
            if let total = Int(line.split(separator: " ")[1]) { return total }
        }
        throw BenchmarkError(description: "Callgrind counted nothing")
    }

    private func withServer<Result>(_ measure: (_ port: Int) throws -> Result) throws -> Result {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            launcher + [Bundle.main.executablePath ?? CommandLine.arguments[0], "serve", "--size", "\(size)"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { process.waitUntilExit() }
        defer { process.terminate() }
        guard let port = firstLine(of: output.fileHandleForReading).flatMap({ Int($0) }) else {
            throw BenchmarkError(description: "The server did not start")
        }
        return try measure(port)
    }

    private func firstLine(of handle: FileHandle) -> String? {
        var line = Data()
        while let byte = try? handle.read(upToCount: 1), let first = byte.first {
            if first == UInt8(ascii: "\n") { return String(data: line, encoding: .utf8) }
            line.append(first)
        }
        return nil
    }
}

private final class Failures: @unchecked Sendable {
    private let lock = NSLock()
    private var errors: [any Error] = []

    var first: (any Error)? { lock.withLock { errors.first } }
    func add(_ error: any Error) { lock.withLock { errors.append(error) } }
}
