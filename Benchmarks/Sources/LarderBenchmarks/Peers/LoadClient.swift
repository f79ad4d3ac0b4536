import Foundation

/// The client of the comparisons: it asks contestants on many connections, and counts the answers.
final class LoadClient {
    private let connections: Int
    /// The program h2load, which asks over TLS; nil if it is missing.
    private let h2load: Command?
    private var crowd: (port: Int, crowd: Crowd)?

    /// The most requests of one run.
    private static let most = 1_000_000
    private static let warmUp = 0.2

    init(connections: Int, tools: Tools) {
        self.connections = connections
        h2load = tools.program("h2load").map { Command([$0.path()], environment: tools.environment) }
    }

    var speaksTLS: Bool { h2load != nil }

    /// Returns the head and the body of one answer.
    func get(_ contestant: Contestant) throws -> (head: String, body: String) {
        guard case .tls(let streams) = contestant.transport else {
            return try Connection(port: contestant.port).get(contestant.path)
        }
        let version = streams > 1 ? "--http2" : "--http1.1"
        let output = try Command([
            "curl", "-sik", version, "--max-time", "5", "https://127.0.0.1:\(contestant.port)\(contestant.path)",
        ]).output()
        guard let end = output.range(of: "\r\n\r\n") else {
            throw BenchmarkError(description: "\(contestant.name) does not answer curl: \(output)")
        }
        let head = String(output[..<end.lowerBound])
        guard head.hasPrefix(streams > 1 ? "HTTP/2" : "HTTP/1.1") else {
            throw BenchmarkError(description: "\(contestant.name) speaks another version of HTTP: \(head)")
        }
        return (head, String(output[end.upperBound...]))
    }

    /// Connects, and asks for a short time that does not count.
    func prepare(_ contestant: Contestant) throws {
        if case .plain = contestant.transport {
            // The connections to the contestant before are closed, so that it is idle.
            crowd = nil
            crowd = (contestant.port, try Crowd(of: connections, port: contestant.port))
        }
        _ = try load(contestant, for: Self.warmUp)
    }

    /// Asks the prepared contestant. Returns the number of answers, each a 200 with a body of the right length.
    func load(_ contestant: Contestant, for seconds: Double) throws -> Int {
        switch contestant.transport {
        case .plain:
            guard let crowd, crowd.port == contestant.port else {
                throw BenchmarkError(description: "There are no connections to \(contestant.name)")
            }
            return try crowd.crowd.ask(
                contestant.path,
                size: contestant.body.utf8.count,
                for: .seconds(seconds),
                atMost: Self.most
            )
        case .tls(let streams): return try loadTLS(contestant, streams: streams, for: seconds)
        }
    }

    /// Runs h2load. All connections begin with a handshake, which is part of the measurement and for all contestants
    /// the same.
    private func loadTLS(_ contestant: Contestant, streams: Int, for seconds: Double) throws -> Int {
        guard let h2load else { throw BenchmarkError(description: "h2load is missing") }
        // HTTP/2 has its requests on fewer connections.
        let words = streams > 1 ? ["-c", "8", "-m", "\(streams)"] : ["-c", "\(connections)", "--h1"]
        let url = "https://127.0.0.1:\(contestant.port)\(contestant.path)"
        let duration = ["-D", "\(Int(seconds * 1_000))ms", "-t", "1", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256"]
        let output = try h2load.appending(words + duration + [url]).output()
        // requests: 10 total, 10 started, 10 done, 10 succeeded, 0 failed, 0 errored, 0 timeout
        // status codes: 10 2xx, 0 3xx, 0 4xx, 0 5xx
        // traffic: 43.21KB (44247) total, 2.34KB (2396) headers (space savings 0.00%), 40.00KB (40960) data
        guard let requests = output.firstMatch(of: /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/),
            let statuses = output.firstMatch(of: /(\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/),
            let traffic = output.firstMatch(of: /\((\d+)\) data/),
            let answered = Int(requests.1), let good = Int(statuses.1), let bytes = Int(traffic.1)
        else { throw BenchmarkError(description: "h2load prints something else: \(output)") }
        // Answers that were under way at the end have part of their bytes, and some of them their status.
        let size = contestant.body.utf8.count
        let underWay = streams > 1 ? 8 * streams : connections
        guard answered > 0, requests.2 == "0", requests.3 == "0", requests.4 == "0", statuses.2 == "0",
            statuses.3 == "0", statuses.4 == "0", (answered...answered + underWay).contains(good),
            (answered * size...(answered + underWay) * size).contains(bytes)
        else { throw BenchmarkError(description: "\(contestant.name) has wrong answers: \(output)") }
        return answered
    }
}
