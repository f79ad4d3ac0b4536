import ArgumentParser
import Foundation

@main
struct Benchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "larder-benchmarks",
        abstract: "Measures the cost of a cached response, compared with the bare route that returns the same bytes.",
        subcommands: [
            Compare.self, Serve.self, Faults.self, Gateway.self, Peers.self, Curves.self, FilledGateway.self,
        ],
        defaultSubcommand: Compare.self
    )
}

/// The benchmarks, which compare the routes in one run.
struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Compares the bare route and the cached ones.")

    @Option(help: "The bodies' sizes in bytes.")
    var sizes = [40, 16_384]
    @Option(help: "The requests of one run for processor time.")
    var requests = 40_000
    @Option(help: "The number of runs of each route, in turn.")
    var rounds = 5
    @Option(
        help: "The instructions that a hit may take beyond the bare route, in percent; above that the exit status is 1."
    )
    var bound = 10.0

    func run() throws {
        print(
            "body in bytes | route    | instructions a request | against bare | requests per CPU-second | against bare"
        )
        var isExceeded = false
        for size in sizes {
            let instructions = try Route.allCases.map { try Measurement.instructions($0, size: size) }
            var speeds = Route.allCases.map { _ in [Double]() }
            var roundTrips: Double?
            for _ in 0..<rounds {
                for (place, route) in Route.allCases.enumerated() {
                    let speed = try Measurement.speed(route, size: size, count: requests)
                    speeds[place].append(speed.requestsPerSecond)
                    roundTrips = speed.roundTrips ?? roundTrips
                }
            }
            for (place, route) in Route.allCases.enumerated() {
                let more = Self.percentMore(instructions[place], than: instructions[0])
                let ratio = Self.median(zip(speeds[place], speeds[0]).map { $0 / $1 })
                let cells = [
                    ("\(size)", 13), (route.rawValue, 8), ("\(instructions[place])", 22),
                    (String(format: "%+.1f %%", more), 12),
                    (String(format: "%.0f", Self.median(speeds[place])), 23), (String(format: "%.3f", ratio), 12),
                ]
                print(cells.map { text, width in Self.padded(text, width) }.joined(separator: " | "))
            }
            print("Redis is asked \(String(format: "%.2f", roundTrips ?? 0)) times for a hit.")
            let more = Self.percentMore(instructions[1], than: instructions[0])
            isExceeded = isExceeded || more > bound
        }
        if isExceeded {
            print("A hit in memory costs more than the bound of \(bound) %.")
            throw ExitCode.failure
        }
    }

    private static func percentMore(_ count: Int, than other: Int) -> Double {
        100 * (Double(count) / Double(other) - 1)
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
