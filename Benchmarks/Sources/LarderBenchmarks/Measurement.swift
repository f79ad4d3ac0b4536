import Foundation

/// A separate server process for one measurement; it ends with the measurement.
struct Measurement {
    /// The program that runs the server, with its arguments: none, or valgrind.
    let launcher: [String]
    let size: Int
    let route: Route
    /// The port of the Redis that the route needs; nil if it needs none.
    var redis: Int?

    /// Returns the number of instructions of a request, as the difference of two runs of different length, so that the
    /// start and the end of the process do not count: the lowest of three. A process writes the IDs of its requests with
    /// more or fewer digits, and renews its dates once or more often, which is up to 2 % of a request.
    static func instructions(_ route: Route, size: Int) throws -> Int {
        try (0..<3).map { _ in try difference(route, size: size) }.reduce(.max, min)
    }

    private static func difference(_ route: Route, size: Int) throws -> Int {
        let counts = [1_000, 3_000]
        let totals = try counts.map { count in
            try withRedis(for: route) { redis in
                let profile = FileManager.default.temporaryDirectory.appending(
                    path: "larder-\(UUID().uuidString).callgrind"
                )
                defer { try? FileManager.default.removeItem(at: profile) }
                let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=\(profile.path())"]
                try Measurement(launcher: valgrind, size: size, route: route, redis: redis).withServer { port in
                    let connection = try Connection(port: port)
                    try connection.awaitHits(route.path)
                    try connection.repeatGet(route.path, count: count)
                }
                return try total(of: profile)
            }
        }
        return (totals[1] - totals[0]) / (counts[1] - counts[0])
    }

    /// The cost of a route in processor time and in requests to Redis.
    struct Speed {
        /// The number of requests answered in a second of processor time of the server and Redis together, as if both
        /// ran on one core.
        let requestsPerSecond: Double
        /// The number of times that Redis was asked for each request; nil without Redis.
        let roundTrips: Double?
    }

    /// Returns the requests that the server answers in a second of processor time, and its requests to Redis.
    static func speed(_ route: Route, size: Int, count: Int) throws -> Speed {
        try withRedis(for: route) { redis in
            try Measurement(launcher: [], size: size, route: route, redis: redis).withServer { port in
                let control = try Connection(port: port)
                try control.awaitHits(route.path)
                try control.repeatGet(route.path, count: 2_000)
                let trips = try redis.map { try roundTrips(route, control, redis: $0) }
                let before = try usage(control, redis)
                try load(route.path, port: port, count: count)
                let used = try usage(control, redis) - before
                return Speed(requestsPerSecond: Double(count) / (used / 1_000_000), roundTrips: trips)
            }
        }
    }

    /// Returns the number of times that Redis reads from its socket for a hit, when requests follow one another.
    private static func roundTrips(_ route: Route, _ control: Connection, redis: Int) throws -> Double {
        let probe = try Connection(port: redis)
        let count = 1_000
        let before = try probe.redisNumber("total_reads_processed")
        try control.repeatGet(route.path, count: count)
        // One of the reads is the probe's own command.
        return (try probe.redisNumber("total_reads_processed") - before - 1) / Double(count)
    }

    /// Sends requests on eight connections at once.
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

    /// Returns the processor time that the server, and Redis if there is one, have used so far, in microseconds.
    private static func usage(_ connection: Connection, _ redis: Int?) throws -> Double {
        guard let microseconds = Double(try connection.get("/usage").body) else {
            throw BenchmarkError(description: "The server does not say what it used")
        }
        guard let redis else { return microseconds }
        let probe = try Connection(port: redis)
        let seconds = try probe.redisNumber("used_cpu_user") + probe.redisNumber("used_cpu_sys")
        return microseconds + seconds * 1_000_000
    }

    /// Runs a separate Redis for a route that needs one.
    private static func withRedis<Result>(for route: Route, _ body: (_ port: Int?) throws -> Result) throws -> Result {
        guard route == .redis else { return try body(nil) }
        let process = Process()
        let port = Int.random(in: 20_000..<30_000)
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--save", ""]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { process.waitUntilExit() }
        defer { process.terminate() }
        for _ in 0..<200 where (try? Connection(port: port)) == nil { usleep(10_000) }
        return try body(port)
    }

    /// Returns the total that callgrind writes at the end of its profile.
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
            launcher + [
                Bundle.main.executablePath ?? CommandLine.arguments[0], "serve", "--while-read", "--size", "\(size)",
            ]
        if route.isInGateway { process.arguments?.append("--gateway") }
        if let format = route.logFormat { process.arguments?.append(contentsOf: ["--access-log-format", format]) }
        if let redis { process.arguments?.append(contentsOf: ["--redis", "\(redis)"]) }
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { process.waitUntilExit() }
        // The server ends with its input: a graceful shutdown of the gateway's origin would wait for the gateway's
        // connections.
        defer { try? input.fileHandleForWriting.close() }
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
