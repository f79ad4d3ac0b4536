import ArgumentParser
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The cost of a hit of the gateway as the work grows.
struct Curves: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the processor time of hits over entries, bodies, connections, tags and invalidations.",
        discussion: "From \(Curves.leastRounds) rounds on, the results are written to docs/benchmarks.md."
    )

    /// The fewest rounds whose results are written.
    static let leastRounds = 3
    /// The growth from which a curve is not flat.
    private static let flatness = 1.15

    @Option(help: "The number of runs of each point.")
    var rounds = 3
    @Option(help: "The duration of one run, in seconds.")
    var seconds = 0.6
    @Option(parsing: .upToNextOption, help: "The numbers of entries.")
    var entries = [100, 1_000, 10_000, 100_000, 1_000_000]
    @Option(parsing: .upToNextOption, help: "The quantities that are measured; by default all.")
    var only: [String] = []
    @Option(help: "The directory of the repository, whose documents are written.")
    var repository = "."
    @Flag(help: "Print the results, and write nothing.")
    var dry = false

    func run() throws {
        guard FileManager.default.fileExists(atPath: "/proc/self/stat") else {
            throw BenchmarkError(description: "What a server uses of the processor is read from Linux's /proc")
        }
        Leftovers.shared.clearWhenInterrupted()
        try Gateway.moveToOtherCore()
        try Self.allowConnections()
        let curves = Curve.all(entries: entries).filter { only.isEmpty || only.contains($0.quantity) }
        let rows = try curves.map { row($0, try measure($0)) }
        let section = """
            ## Cost as the work grows

            `make bench-curves` measures this section again. The numbers are the processor time of the gateway for a hit in memory,
            in µs: the medians of \(rounds) runs. Where a row does not say otherwise, there is one entry of 40 B, and there are 32
            connections and one event loop. Of more than 100,000 entries, 100,000 are requested. A row that grows by less than
            \(Figure.decimal(100 * (Self.flatness - 1), 0)) % is flat.

            | quantity | value: µs for a hit | |
            |--|--|--|
            \(rows.joined(separator: "\n"))
            """
        print("\n\(section)")
        guard !dry, only.isEmpty, rounds >= Self.leastRounds else {
            print("Nothing is written: --dry, --only, or fewer than \(Self.leastRounds) rounds.")
            return
        }
        let file = URL(filePath: repository).appending(path: "docs/benchmarks.md")
        try GeneratedSection("curves").write(section, into: file)
    }

    /// Returns the median cost of each point, in µs. The points are measured in turn.
    private func measure(_ curve: Curve) throws -> [Double] {
        var servers: [RunningProxy] = []
        defer { for server in servers { server.end() } }
        for point in curve.points {
            let begin = ContinuousClock.now
            let server = try start(point)
            servers.append(server)
            let (time, memory) = ((ContinuousClock.now - begin) / .seconds(1), Double(try server.residentBytes()))
            Contest.say(
                "\(curve.quantity) \(point.label): ready in \(Figure.decimal(time, 1)) s, "
                    + "\(Figure.count(memory / 1_048_576)) MiB"
            )
        }
        var costs = curve.points.map { _ in [Double]() }
        for _ in 0..<rounds {
            for (place, point) in curve.points.enumerated() {
                costs[place].append(try cost(of: point, servers[place]))
            }
        }
        let medians = costs.map(Figure.median)
        let texts = zip(curve.points, medians).map { "\($0.label): \(Figure.decimal($1, 1))" }
        Contest.say("\(curve.quantity): \(texts.joined(separator: ", ")) µs")
        return medians
    }

    private func start(_ point: Curve.Point) throws -> RunningProxy {
        let program = URL(filePath: Bundle.main.executablePath ?? CommandLine.arguments[0])
        let proxy = Proxy(name: "gateway", program: program) { port, _, _ in
            ["serve-filled", "--port", "\(port)"] + point.options
        }
        let server = try RunningProxy(proxy, origin: 0, cores: 0..<point.loops)
        do {
            let end = ContinuousClock.now + .seconds(600)
            while try misses(server) == nil {
                guard ContinuousClock.now < end else { throw BenchmarkError(description: "The store does not fill") }
                usleep(10_000)
            }
        } catch {
            server.end()
            throw error
        }
        return server
    }

    /// Returns the number of requests for stored paths that reached the origin; nil while the store is being filled.
    private func misses(_ server: RunningProxy) throws -> Int? {
        let (head, text) = try Connection(port: server.port).get("/misses")
        // A busy server may be late with its answers until the store is filled.
        if text == FilledGateway.filling || !head.hasPrefix("HTTP/1.1 200") { return nil }
        guard let count = Int(text) else { throw BenchmarkError(description: "/misses is answered by \(text)") }
        return count
    }

    private func cost(of point: Curve.Point, _ server: RunningProxy) throws -> Double {
        let crowd = try Crowd(of: point.connections, port: server.port)
        let first = try Connection(port: server.port).get(point.paths[0])
        guard first.head.hasPrefix("HTTP/1.1 200"), first.body == String(repeating: "x", count: point.size) else {
            throw BenchmarkError(description: "\(point.paths[0]) has another answer: \(first.head)")
        }
        _ = try crowd.ask(point.paths, size: point.size, for: .seconds(seconds / 3), atMost: 1_000_000)
        let missed = try misses(server)
        let share = point.hasBackgroundWork ? try processorShare(of: server) : 0
        let (before, start) = (try server.processorSeconds(), ContinuousClock.now)
        let answered = try crowd.ask(point.paths, size: point.size, for: .seconds(seconds), atMost: 1_000_000)
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let used = try server.processorSeconds() - before - share * elapsed
        guard try misses(server) == missed else {
            throw BenchmarkError(description: "\(point.paths[0]) is not always answered from the cache")
        }
        return used / Double(answered) * 1e6
    }

    /// Returns the part of a core that a server uses without requests.
    private func processorShare(of server: RunningProxy) throws -> Double {
        let (before, start) = (try server.processorSeconds(), ContinuousClock.now)
        usleep(UInt32(seconds * 1e6))
        return (try server.processorSeconds() - before) / ((ContinuousClock.now - start) / .seconds(1))
    }

    private func row(_ curve: Curve, _ costs: [Double]) -> String {
        let cells = zip(curve.points, costs).map { "\($0.label): \(Figure.decimal($1, 1))" }
        return "| \(curve.quantity) | \(cells.joined(separator: " · ")) | \(Self.remark(curve, costs)) |"
    }

    /// Returns `flat`, or the growth with its reason. A cost that is highest before it is lowest falls.
    private static func remark(_ curve: Curve, _ costs: [Double]) -> String {
        guard let most = costs.max(), let least = costs.min(), most / least >= flatness else { return "flat" }
        if let first = costs.firstIndex(of: most), let last = costs.lastIndex(of: least), first < last {
            return "does not grow" + (curve.reasonToFall.map { ": ÷ \(Figure.ratio(most / least)). \($0)" } ?? "")
        }
        return "× \(Figure.ratio(most / least)). \(curve.reason)"
    }

    /// Raises the number of files that this process and the servers may have open to what the system allows.
    private static func allowConnections() throws {
        var limit = rlimit()
        #if canImport(Glibc)
            let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let files = RLIMIT_NOFILE
        #endif
        getrlimit(files, &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(files, &limit)
        guard limit.rlim_cur > 9_000 else {
            throw BenchmarkError(description: "4,096 connections need 9,000 open files: raise the limit (ulimit -Hn)")
        }
    }
}
