import ArgumentParser
import Foundation

/// `larder serve` compared with nginx and Varnish: the requests that a proxy answers from its cache in a second of its
/// processor time.
struct Gateway: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares hits of larder serve with those of nginx and of Varnish.",
        discussion: "Each proxy has one core, and another one asks and answers for the origin. Pairs are run in turn."
    )

    @Option(help: "The bodies' sizes in bytes.")
    var sizes = [40, 16_384, 262_144]
    @Option(help: "The number of runs of each pair.")
    var rounds = 5
    @Option(help: "The duration of one run, in seconds.")
    var seconds = 1.5
    @Option(help: "The largest number of requests in one run.")
    var requests = 500_000
    @Option(help: "The number of connections in one run.")
    var connections = 32
    @Option(help: "The time after which no further round begins, in seconds.")
    var limit = 170.0
    @Option(help: "The directory of nginx and Varnish, if they are not installed.")
    var tools = ".build-proxies"
    @Option(help: "The program larder; by default the one in the directory of this program.")
    var larder: String?
    @Option(help: "Another build of larder, to be run like the other proxies.")
    var against: String?

    func run() throws {
        guard FileManager.default.fileExists(atPath: "/proc/self/stat") else {
            throw BenchmarkError(description: "What a proxy uses of the processor is read from Linux's /proc")
        }
        Leftovers.shared.clearWhenInterrupted()
        try Self.moveToOtherCore()
        let origin = try Origin()
        let start = ContinuousClock.now
        let others = others()
        print("body in bytes | proxy   | requests per CPU-second | larder against it | from - to")
        for (place, size) in sizes.enumerated() {
            let end = start + .seconds(limit * Double(place + 1) / Double(sizes.count))
            let own = try RunningProxy(.larder(program), origin: origin.port, cores: 0..<1)
            defer { own.end() }
            var rivals: [RunningProxy] = []
            defer { for rival in rivals { rival.end() } }
            for other in others { rivals.append(try RunningProxy(other, origin: origin.port, cores: 0..<1)) }
            try measure(own, beside: rivals, size: size, origin: origin, until: end)
        }
    }

    /// Measures all rounds with bodies of one size.
    private func measure(
        _ own: RunningProxy,
        beside rivals: [RunningProxy],
        size: Int,
        origin: Origin,
        until end: ContinuousClock.Instant
    ) throws {
        var speeds: [Double] = []
        var pairs = rivals.map { _ in [(own: Double, rival: Double)]() }
        var done = 0
        while done < rounds, done == 0 || ContinuousClock.now < end {
            if rivals.isEmpty { speeds.append(try speed(of: own, size: size, origin: origin)) }
            for (place, rival) in rivals.enumerated() {
                let pair = (
                    own: try speed(of: own, size: size, origin: origin),
                    rival: try speed(of: rival, size: size, origin: origin)
                )
                speeds.append(pair.own)
                pairs[place].append(pair)
            }
            done += 1
        }
        row(size, own.name, speeds, [])
        for (rival, pairs) in zip(rivals, pairs) {
            row(size, rival.name, pairs.map(\.rival), pairs.map { $0.own / $0.rival })
        }
        if done < rounds { print("Only \(done) rounds: the time is over.") }
    }

    /// Returns the number of requests that a proxy answers in a second of its processor time, all of them hits.
    private func speed(of proxy: RunningProxy, size: Int, origin: Origin) throws -> Double {
        let crowd = try Crowd(of: connections, port: proxy.port)
        _ = try crowd.ask("/\(size)", size: size, for: .milliseconds(250), atMost: requests)
        let asked = origin.requests
        let before = try proxy.processorSeconds()
        let answered = try crowd.ask("/\(size)", size: size, for: .seconds(seconds), atMost: requests)
        let used = try proxy.processorSeconds() - before
        guard origin.requests == asked else {
            throw BenchmarkError(
                description: "\(proxy.name) asked the origin for a response that it should have stored"
            )
        }
        guard used > 0 else { throw BenchmarkError(description: "\(proxy.name) used no time: the run is too short") }
        return Double(answered) / used
    }

    private func row(_ size: Int, _ name: String, _ speeds: [Double], _ ratios: [Double]) {
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        let name = name.padding(toLength: 7, withPad: " ", startingAt: 0)
        var line = String(format: "%13d", size) + " | \(name) | " + String(format: "%23.0f", median(speeds))
        if let least = ratios.min(), let most = ratios.max() {
            line += String(format: " | %17.2f | %.2f - %.2f", median(ratios), least, most)
        } else {
            line += " |                   |"
        }
        print(line)
        fflush(nil)
    }
}

// MARK: - Participants

extension Gateway {
    private var program: URL {
        larder.map { URL(filePath: $0) }
            ?? URL(filePath: Bundle.main.executablePath ?? CommandLine.arguments[0]).deletingLastPathComponent()
            .appending(path: "larder")
    }

    /// Returns the proxies that Larder is compared with; prints the names of missing ones.
    private func others() -> [Proxy] {
        let tools = Tools(directory: URL(filePath: tools))
        var others: [Proxy] = []
        for (name, proxy) in [("nginx", Proxy.nginx(in: tools)), ("Varnish", Proxy.varnish(in: tools))] {
            if let proxy { others.append(proxy) } else { print("\(name) is not here, and not measured.") }
        }
        if let against { others.append(.larder(URL(filePath: against), name: "other")) }
        return others
    }

    /// Leaves the first core to the proxies.
    static func moveToOtherCore() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["taskset", "-a", "-c", "-p", "1", "\(getpid())"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus != 0 { print("There is one core: proxies and load share it.") }
    }
}
