import ArgumentParser
import Foundation

@main
struct Benchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "larder-benchmarks",
        abstract: "Measures what a cached answer costs, beside the bare route that returns the same bytes.",
        subcommands: [Compare.self, Serve.self, Faults.self],
        defaultSubcommand: Compare.self
    )
}

/// Both routes side by side in one run.
struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Compares the bare route and the cached one.")

    @Option(help: "The bodies' sizes in bytes.")
    var sizes = [40, 16_384]
    @Option(help: "The requests of one run for processor time.")
    var requests = 40_000
    @Option(help: "How often each route is run, in turn.")
    var rounds = 5
    @Option(
        help: "What a hit may cost more in instructions than the bare route, in percent; beyond it the exit code is 1."
    )
    var bound = 10.0

    func run() throws {
        print("body in bytes | route  | instructions a request | requests per CPU-second (median of \(rounds))")
        var isExceeded = false
        for size in sizes {
            let instructions = try Route.allCases.map { try Measurement.instructions($0, size: size) }
            var speeds = Route.allCases.map { _ in [Double]() }
            for _ in 0..<rounds {
                for (place, route) in Route.allCases.enumerated() {
                    speeds[place].append(try Measurement.requestsPerSecond(route, size: size, count: requests))
                }
            }
            let medians = speeds.map(median)
            let ratio = median(zip(speeds[1], speeds[0]).map { $0 / $1 })
            for (place, route) in Route.allCases.enumerated() {
                print(row(size, route.rawValue, "\(instructions[place])", String(format: "%.0f", medians[place])))
            }
            let more = 100 * (Double(instructions[1]) / Double(instructions[0]) - 1)
            print(row(size, "ratio", String(format: "%+.1f %%", more), String(format: "%.3f", ratio)))
            isExceeded = isExceeded || more > bound
        }
        if isExceeded {
            print("A hit costs more than the bound of \(bound) %.")
            throw ExitCode.failure
        }
    }

    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private func row(_ size: Int, _ route: String, _ instructions: String, _ speed: String) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        return "\(padded("\(size)", 13)) | \(padded(route, 6)) | \(padded(instructions, 22)) | \(padded(speed, 20))"
    }
}
