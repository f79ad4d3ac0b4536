import Foundation

/// A server that takes part in a comparison, with one request that it is asked.
struct Contestant {
    let name: String
    /// The processes whose processor time counts; the last one is asked.
    let servers: [RunningProxy]
    let path: String
    let body: String
    let evidence: Evidence
    var transport = Transport.plain

    /// The way by which answers from the cache are told from others.
    enum Evidence {
        /// A number that grows with each request that the cache does not answer.
        case counter(@Sendable (_ port: Int) throws -> Int)
        /// A text in the head of each answer from the cache.
        case head(String)
        /// The server has no cache.
        case none
    }

    /// The protocol by which the server is asked.
    enum Transport {
        case plain
        /// TLS, with this number of requests under way on a connection: above 1 by HTTP/2, otherwise by HTTP/1.1.
        case tls(streams: Int)
    }

    var port: Int { servers[servers.count - 1].port }

    /// Returns the same servers with another request.
    func asking(_ path: String, for body: String) -> Contestant {
        Contestant(
            name: name,
            servers: servers,
            path: path,
            body: body,
            evidence: evidence,
            transport: transport
        )
    }

    /// Returns the processor time that all processes have used so far, in seconds.
    func processorSeconds() throws -> Double {
        try servers.reduce(0) { try $0 + $1.processorSeconds() }
    }

    func end() { for server in servers { server.end() } }
}

extension Contestant {
    /// Checks the status and the body of two answers, and that the second one comes from the cache. The server may
    /// still be connecting to Redis, so it has two seconds until its answers do.
    func verify(with client: LoadClient) throws {
        let end = ContinuousClock.now + .seconds(2)
        while true {
            let before = try misses()
            let (head, content) = try client.get(self)
            let line = head.prefix { !$0.isNewline }
            guard line.split(separator: " ").dropFirst().first == "200" else {
                throw BenchmarkError(description: "\(name) answers \(path) with \(line)")
            }
            guard content == body else {
                throw BenchmarkError(
                    description: "\(name) answers \(path) with another body, of \(content.utf8.count) bytes"
                )
            }
            if try isHit(head, before) { return }
            usleep(5_000)
            guard ContinuousClock.now < end else {
                throw BenchmarkError(description: "\(name) never answers \(path) from its cache: \(head)")
            }
        }
    }

    /// Returns the requests that the server answers in a second of processor time, all of them from its cache.
    func speed(with client: LoadClient, for seconds: Double) throws -> Double {
        try client.prepare(self)
        let missed = try misses()
        let before = try processorSeconds()
        let answered = try client.load(self, for: seconds)
        let used = try processorSeconds() - before
        guard try misses() == missed else {
            throw BenchmarkError(description: "\(name) did not answer every request from its cache")
        }
        if case .head = evidence { try verify(with: client) }
        guard used > 0 else { throw BenchmarkError(description: "\(name) used no time: the run is too short") }
        return Double(answered) / used
    }

    private func misses() throws -> Int {
        guard case .counter(let count) = evidence else { return 0 }
        return try count(port)
    }

    private func isHit(_ head: String, _ before: Int) throws -> Bool {
        switch evidence {
        case .counter: try misses() == before
        case .head(let text): head.contains(text)
        case .none: true
        }
    }
}
