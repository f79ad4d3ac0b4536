import Foundation
import LarderTestSupport
import TestHelpers
import Testing

/// The metrics of the program `larder` as Prometheus reads them.
@Suite(.timeLimit(.minutes(5))) struct MetricsCommandTests {
    private static let token = "0123456789abcdef"

    /// Returns the names of the metrics in a text, without the suffixes of their samples.
    private static func families(_ text: String) -> Set<String> {
        Set(text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) })
    }

    /// Returns the names of metrics that a text of PromQL mentions.
    private static func mentioned(in text: String) -> Set<String> {
        Set(text.matches(of: /\b(larder|process)_[a-z_]+\b/).map { String($0.output.0) })
    }

    /// Returns the names of all samples that a family of metrics may have.
    private static func samples(_ families: Set<String>) -> Set<String> {
        Set(families.flatMap { [$0, $0 + "_bucket", $0 + "_count", $0 + "_sum"] })
    }

    /// Starts a gateway, sends requests with all kinds of results through it, and returns its metrics in both formats.
    private static func scrape(store: String = "memory") async throws -> (prometheus: String, open: String) {
        try await ScriptedOrigin.answering { request in
            switch request.target {
            case "/broken": answer("500 Internal Server Error", [], "broken")
            case "/private": answer("200 OK", ["Cache-Control: no-store"], "private")
            default: answer("200 OK", ["Cache-Control: max-age=60"], "page")
            }
        } _: { origin in
            let file = FileManager.default.temporaryDirectory.appending(path: "larder-\(UUID().uuidString).yaml")
            let port = try FreePort.take()
            let lines = [
                "origin: \(origin.url)", "listen: 127.0.0.1:\(port)", "store: \(store)", "routes:",
                "  - path: /api/\"quoted\"/**",
            ]
            try Data(lines.joined(separator: "\n").utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            return try await ProgramProcess.run(
                "larder",
                ["serve", "--config", file.path],
                environment: ["LARDER_ADMIN_TOKEN": token]
            ) { gateway in
                try await gateway.listens(on: port)
                for target in ["/a", "/a", "/private", "/broken", "/api/%22quoted%22/1"] {
                    _ = try await Wire.send("GET", target, to: port)
                }
                _ = try await Wire.send("POST", "/a", body: "x", to: port)
                _ = try await Wire.send("GET", "/a", ["Authorization: Basic eDp5"], to: port)
                gateway.signal(SIGHUP)
                try await eventually("it reloads: \(gateway.output)") { gateway.output.contains("Reloaded") }
                let refused = try await Wire.send("GET", "/-/larder/metrics", to: port)
                #expect(refused.status == 401)
                let right = "Authorization: Bearer \(token)"
                let plain = try await Wire.send("GET", "/-/larder/metrics", [right], to: port)
                let accept = "Accept: application/openmetrics-text;version=1.0.0"
                let open = try await Wire.send("GET", "/-/larder/metrics", [right, accept], to: port)
                #expect(plain.status == 200 && open.status == 200)
                return (plain.text, open.text)
            }
        }
    }

    @Test func `The metrics have what happened, by route and result, and the state of the process`() async throws {
        let text = try await Self.scrape().open
        for line in [
            "larder_requests_total{result=\"hit\",route=\"default\"} 1",
            "larder_requests_total{result=\"write\",route=\"default\"} 1",
            "larder_requests_total{result=\"miss\",route=\"/api/\\\"quoted\\\"/**\"} 1",
            "larder_not_stored_total{reason=\"no-store\",route=\"default\"} 1",
            "larder_reloads_total{result=\"ok\"} 1", "larder_reloads_total{result=\"failed\"} 0",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line) is not in \(text)")
        }
        #expect(text.hasSuffix("\n# EOF\n"))
        // Every line is a comment or a sample, whatever the names of routes have.
        for line in text.split(separator: "\n") where !line.hasPrefix("# ") {
            #expect(
                line.wholeMatch(of: /[a-z_]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? [-+.0-9eInf]+/) != nil,
                "\(line)"
            )
        }
    }

    #if os(Linux)
        private static func expectSuccess(of command: String) async throws {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
            try await ProgramProcess.run("/bin/sh", ["-c", command], environment: ["PATH": path]) { tool in
                let status = try await tool.status()
                #expect(status == 0, "`make tools` installs promtool: \(tool.output)")
                #expect(tool.output == "" || tool.output.contains("SUCCESS"), "\(tool.output)")
            }
        }

        @Test func `promtool accepts the metrics, with Redis too, and the alerts`() async throws {
            let memory = try await Self.scrape().prometheus
            let redis = try await RedisProcess.run { redis in
                try await Self.scrape(store: "redis://127.0.0.1:\(redis.port)").prometheus
            }
            for text in [memory, redis] {
                let file = FileManager.default.temporaryDirectory.appending(path: "metrics-\(UUID().uuidString)")
                try Data(text.utf8).write(to: file)
                defer { try? FileManager.default.removeItem(at: file) }
                try await Self.expectSuccess(of: "promtool check metrics < '\(file.path)'")
            }
            let rules = PackageFolder.root.appending(path: "Operators/Prometheus/alerts.yml").path
            try await Self.expectSuccess(of: "promtool check rules '\(rules)'")
            // Alerts, dashboard and documentation name the metrics that there are, and the documentation all of them.
            let families = Self.families(memory).union(Self.families(redis))
            let samples = Self.samples(families)
            for path in ["Operators/Prometheus/alerts.yml", "Operators/Grafana/larder.json"] {
                // These have a series for each reason that has occurred.
                let lazy: Set = [
                    "larder_stale_responses_total", "larder_bypasses_total", "larder_redis_failures_total",
                ]
                let unknown = Self.mentioned(in: try PackageFolder.text(of: path)).subtracting(samples)
                #expect(unknown.subtracting(lazy).isEmpty, "\(path) names \(unknown)")
            }
            let pages = try PackageFolder.text(of: "docs/metrics.md") + PackageFolder.text(of: "docs/redis.md")
            let documented = Self.mentioned(in: pages)
            for family in families {
                let name = family.hasSuffix("_total") ? String(family.dropLast("_total".count)) : family
                #expect(documented.contains(name), "\(name) is not documented")
            }
        }
    #endif
}
