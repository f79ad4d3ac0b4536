import Foundation

/// The measurements of `Peers`. Each method starts the servers that it needs, and ends them.
struct Contest {
    let field: Field
    let client: LoadClient
    let rounds: Int
    let seconds: Double

    /// The requests under way on a connection of HTTP/2.
    private static let streams = 10

    /// A contestant beside Larder's, nil if it is missing, with the ratio that is the goal.
    private typealias Rival = (name: String, contestant: Contestant?, goal: Comparison.Goal?)

    /// Measures hits of the gateway beside those of other proxies.
    func proxies() throws -> [Comparison] {
        let works: [(name: String, size: Int, goals: KeyValuePairs<String, Double?>)] = [
            ("gateway hit, 40 B", 40, ["nginx": 1.15, "Varnish": 1.5, "HAProxy": 0.9]),
            ("gateway hit, 16 KiB", 16_384, ["nginx": 1.1, "Varnish": nil, "HAProxy": 0.9]),
            ("gateway hit, 256 KiB", 262_144, ["nginx": 1.5, "Varnish": 1, "HAProxy": 1]),
        ]
        defer { field.clear() }
        guard let own = try field.proxy("gateway") else { return [] }
        let others = try ["nginx", "Varnish", "HAProxy"].map { try field.proxy($0) }
        return try works.flatMap { work in
            func sized(_ contestant: Contestant) -> Contestant {
                contestant.asking("/\(work.size)", for: String(repeating: "x", count: work.size))
            }
            let rivals = zip(work.goals, others).map { goal, other -> Rival in
                (goal.key, other.map(sized), goal.value.map { .atLeast($0) })
            }
            return try compare(work.name, sized(own), with: rivals)
        }
    }

    /// Measures hits over TLS.
    func secureProxies() throws -> [Comparison] {
        let works: [(name: String, streams: Int, goal: Double)] = [
            ("gateway hit over TLS, 4 kB, HTTP/1.1", 1, 0.8),
            ("gateway hit over TLS, 4 kB, HTTP/2, \(Self.streams) streams", Self.streams, 0.5),
        ]
        return try works.flatMap { work -> [Comparison] in
            defer { field.clear() }
            func start(_ name: String) throws -> Contestant? {
                guard client.speaksTLS else { return nil }
                return try field.proxy(name, streams: work.streams)?
                    .asking("/4000", for: String(repeating: "x", count: 4_000))
            }
            return try compare(
                work.name,
                start("gateway"),
                with: [(name: "nginx", contestant: start("nginx"), goal: .atLeast(work.goal))]
            )
        }
    }

    /// Measures the example API beside a bare route and beside applications in Python.
    func applications() throws -> [Comparison] {
        defer { field.clear() }
        let server = try field.hummingbird()
        let inMemory = try field.fastAPI("fastapi-cache2", module: "cache2_api", onRedis: false)
        let onRedis = try field.fastAPI("fastapi-cache2 on Redis", module: "cache2_api", onRedis: true)
        let withClientCache = try field.fastAPI("cashews on Redis", module: "cashews_api", onRedis: true)
        let works: [(name: String, own: Contestant, rivals: [Rival])] = [
            (
                "example API, 40 B", try field.example(onRedis: false),
                [
                    (server.bare.name, server.bare, .atLeast(3)), ("fastapi-cache2", inMemory, .atLeast(20)),
                    ("fastapi-cache2 on Redis", onRedis, nil),
                ]
            ),
            (
                "cached route without FastLane, 40 B", server.cached,
                [(server.bare.name, server.bare, .atLeast(0.95))]
            ),
            (
                "example API on Redis, 40 B", try field.example(onRedis: true),
                [("fastapi-cache2 on Redis", onRedis, .atLeast(5)), ("cashews on Redis", withClientCache, nil)]
            ),
        ]
        return try works.flatMap { try compare($0.name, $0.own, with: $0.rivals) }
    }

    /// Measures all rounds of one work. The first of a pair is the second one in the next round.
    private func compare(_ work: String, _ own: Contestant?, with rivals: [Rival]) throws -> [Comparison] {
        var results = rivals.map { Comparison(work: work, rival: $0.name, goal: $0.goal) }
        try own?.verify(with: client)
        for rival in rivals where own != nil {
            if let contestant = rival.contestant {
                try contestant.verify(with: client)
            } else {
                Self.say("\(rival.name) is missing, and not measured.")
            }
        }
        for round in 0..<rounds {
            for (place, rival) in rivals.enumerated() {
                guard let own, let contestant = rival.contestant else { continue }
                let order = round % 2 == 0 ? [own, contestant] : [contestant, own]
                let speeds = try order.map { try $0.speed(with: client, for: seconds) }
                let pair = Comparison.Pair(own: speeds[round % 2], rival: speeds[1 - round % 2])
                results[place].pairs.append(pair)
                Self.say(
                    "\(work), round \(round + 1): \(Figure.count(pair.own)) requests per CPU-second, "
                        + "\(rival.name) \(Figure.count(pair.rival)): \(Figure.ratio(pair.own / pair.rival))"
                )
            }
        }
        return results
    }

    static func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}

// MARK: - Times

extension Contest {
    /// Measures the 99th percentiles of the gateway and nginx at half of the requests that nginx can answer, in
    /// seconds.
    func latency(connections: Int, rounds: Int) throws -> Comparison {
        var result = Comparison(work: "p99 of hits at half load, 40 B", rival: "nginx", goal: .atMost(1))
        guard rounds > 0 else { return result }
        defer { field.clear() }
        guard let own = try field.proxy("gateway"), let other = try field.proxy("nginx") else { return result }
        let pair = [own, other].map { $0.asking("/40", for: String(repeating: "x", count: 40)) }
        for contestant in pair { try contestant.verify(with: client) }
        try client.prepare(pair[1])
        let start = ContinuousClock.now
        let answered = try client.load(pair[1], for: seconds)
        let rate = Double(answered) / ((ContinuousClock.now - start) / .seconds(1)) / 2
        func percentile99(_ contestant: Contestant) throws -> Double {
            let size = contestant.body.utf8.count
            let pace = try Pace(of: connections, port: contestant.port)
            _ = try pace.ask(contestant.path, size: size, rate: rate, for: 0.2)
            let latencies = try pace.ask(contestant.path, size: size, rate: rate, for: 2 * seconds)
            return latencies[latencies.count * 99 / 100]
        }
        for round in 0..<rounds {
            let order = round % 2 == 0 ? pair : pair.reversed()
            let times = try order.map(percentile99)
            result.pairs.append(.init(own: times[round % 2], rival: times[1 - round % 2]))
            Self.say(
                "p99 at \(Figure.count(rate)) requests per second, round \(round + 1): "
                    + "\(Figure.count(times[round % 2] * 1e6)) µs, nginx \(Figure.count(times[1 - round % 2] * 1e6)) µs"
            )
        }
        return result
    }

    /// The times from the start of a program to its first answer.
    struct Starts {
        let program: String
        let seconds: [Double]

        /// The longest time that the median should take.
        static let goal = 0.05
    }

    /// Measures starts of the gateway and of the example API.
    func starts(count: Int) throws -> [Starts] {
        let example = field.example.path()
        let programs = [
            (name: "larder", path: "/40", proxy: Proxy.larder(field.gateway)),
            (
                name: "larder-demo", path: Field.user.path,
                proxy: Proxy(name: "larder-demo", program: URL(filePath: "/usr/bin/env")) { port, _, _ in
                    ["PORT=\(port)", "LOG_LEVEL=error", example]
                }
            ),
        ]
        return try programs.map { name, path, proxy in
            let seconds = try (0..<count).map { _ in
                let start = ContinuousClock.now
                let server = try RunningProxy(proxy, origin: field.origin.port, cores: 0..<1, pause: 200)
                defer { server.end() }
                let (head, _) = try Connection(port: server.port).get(path)
                let time = (ContinuousClock.now - start) / .seconds(1)
                guard head.hasPrefix("HTTP/1.1 200") else {
                    throw BenchmarkError(description: "\(name) answers \(head) first")
                }
                return time
            }
            Self.say("\(name) answers after \(Figure.decimal(Figure.median(seconds) * 1_000, 1)) ms.")
            return Starts(program: name, seconds: seconds)
        }
    }
}
