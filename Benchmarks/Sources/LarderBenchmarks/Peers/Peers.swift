import ArgumentParser
import Foundation

/// Larder compared with other caches: proxies, and applications in Python.
struct Peers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares Larder with nginx, Varnish, HAProxy, a bare Hummingbird route and FastAPI's caches.",
        discussion: """
            Each contestant has one core, and the client and the origin have another one. Pairs are measured in turn. \
            From \(Peers.leastRounds) rounds on, the results are written to benchmarks.md, benchmarks.svg and README.md.
            """
    )

    /// The fewest rounds whose results are written.
    static let leastRounds = 5

    @Option(help: "The number of runs of each pair.")
    var rounds = 7
    @Option(help: "The duration of one run, in seconds.")
    var seconds = 1.0
    @Option(help: "The number of connections in one run.")
    var connections = 32
    @Option(help: "The number of starts that are measured.")
    var starts = 10
    @Option(help: "The directory of the programs that are not installed.")
    var tools = ".build-proxies"
    @Option(help: "The directory of the applications in Python.")
    var applications = "Benchmarks/Peers"
    @Option(help: "The directory of the repository, whose documents are written.")
    var repository = "."
    @Option(
        parsing: .upToNextOption,
        help: "The parts that are measured; by default all, otherwise nothing is written."
    )
    var only: [Part] = []
    @Flag(help: "Print the results, and write nothing.")
    var dry = false

    /// A part of the measurements.
    enum Part: String, CaseIterable, ExpressibleByArgument {
        case proxies, tls, applications, latency, starts
    }

    func run() throws {
        guard FileManager.default.fileExists(atPath: "/proc/self/stat") else {
            throw BenchmarkError(description: "What a server uses of the processor is read from Linux's /proc")
        }
        Leftovers.shared.clearWhenInterrupted()
        try Gateway.moveToOtherCore()
        let tools = Tools(directory: URL(filePath: tools))
        let own = URL(filePath: Bundle.main.executablePath ?? CommandLine.arguments[0])
        let field = try Field(
            tools: tools,
            programs: own.deletingLastPathComponent(),
            applications: URL(filePath: applications)
        )
        defer { field.clear() }
        let contest = Contest(
            field: field,
            client: LoadClient(connections: connections, tools: tools),
            rounds: rounds,
            seconds: seconds
        )
        let report = PeersReport(
            rounds: rounds,
            speeds: try (has(.proxies) ? contest.proxies() : []) + (has(.tls) ? contest.secureProxies() : [])
                + (has(.applications) ? contest.applications() : []),
            latency: try contest.latency(connections: connections, rounds: has(.latency) ? rounds : 0),
            starts: try has(.starts) ? contest.starts(count: starts) : [],
            versions: Versions(field).lines
        )
        print("\n\(report.section)")
        guard !dry, only.isEmpty, rounds >= Self.leastRounds else {
            print("Nothing is written: --dry, --only, or fewer than \(Self.leastRounds) rounds.")
            return
        }
        try report.write(to: URL(filePath: repository))
    }

    private func has(_ part: Part) -> Bool { only.isEmpty || only.contains(part) }
}
