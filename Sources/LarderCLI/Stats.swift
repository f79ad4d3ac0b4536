import ArgumentParser
import LarderGateway

/// The command `larder stats`, which prints the statistics of a cache.
struct Stats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how a gateway or an application answers its requests.",
        discussion: """
            The screen shows the hit ratio, requests by result, the times of hits, misses and origins, the store, why \
            responses were not stored and requests bypassed the cache, Redis, and the origins.

            The hit ratio is the part of the requests that looked for a stored response and were answered with one. \
            Reasons and origins are counted since the start of the process.

            EXAMPLES
              larder stats
              larder stats --window 1h
              larder stats --json | jq .hit_ratio
              larder stats --url unix:///run/larder.sock
              larder stats --url https://cache.internal/-/larder --token-file token

            \(AdminExit.codes("Something failed."))
            """
    )

    @Option(
        help: ArgumentHelp("The time that the counts and times are about, up to 1h.", valueName: "time"),
        completion: .list(["1m", "5m", "1h"])
    )
    var window = "5m"

    @OptionGroup var admin: AdminOptions

    func validate() throws { _ = try seconds() }

    private func seconds() throws -> Int64 {
        guard let time = DurationText.parse(window), (.seconds(5)...(.seconds(3_600))).contains(time) else {
            throw ValidationError("--window is invalid: expected a time from 5s to 1h, such as 1m, 5m or 1h")
        }
        return time.components.seconds
    }

    func run() async throws {
        try await AdminClient.run(admin) { client in
            let answer = try await client.get(
                "v1/statistics",
                [(name: "window", value: "\(try seconds())")],
                as: Statistics.self
            )
            guard !admin.json else { return try StandardOutput.print(try AdminJSON.pretty(answer.text)) }
            for line in StatisticsReport(answer.value, width: StandardOutput.width).lines {
                try StandardOutput.print(line)
            }
        }
    }
}
