import ArgumentParser
import Foundation
import Hummingbird
import Larder
import LarderHummingbird
import LarderRedis
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The cost of a failing Redis for a request, compared with the same request in a process without a cache.
struct Faults: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: """
            Measures what requests wait for a Redis that fails, beside the route without a cache, and what a stopped \
            gateway loses.
            """
    )

    @Option(help: "The requests of each measurement.")
    var requests = 2_000
    @Option(help: "The connections to the process with a healthy Redis, all of which send requests at the same time.")
    var connections = 1_000
    @Option(help: "The duration of their requests, in seconds.")
    var seconds = 8

    @Option(help: "The distinct URLs of each flood.")
    var flood = 100_000
    @Option(help: "The writes to distinct paths, each sent as soon as the one before is answered.")
    var writes = 100_000
    @Option(help: "The duration of a thousand writes a second, in seconds.")
    var writing = 90

    func run() throws {
        let end = DispatchSemaphore(value: 0)
        Task {
            do {
                try await measure()
                try await Floods(urls: flood).measure()
                try await Writes(count: writes, seconds: writing).measure()
            } catch { FileHandle.standardError.write(Data("\(error)\n".utf8)) }
            end.signal()
        }
        end.wait()
    }

    private func measure() async throws {
        let redis = try RedisServer()
        defer { redis.end() }
        try await measureCrowd(redis)
        let proxy = try await DelayingProxy(to: redis.port)
        var logger = Logger(label: "benchmarks")
        logger.logLevel = .critical
        let store = try RedisStore("redis://127.0.0.1:\(proxy.port)", logger: logger)
        let cache = ResponseCache(store: store, logger: logger)
        try await withApplication(Self.router(cache, fetches: Count()), services: [cache], logger: logger) { port in
            print("Redis is      | route  | requests | median ms | 99 % ms | most ms | hits")
            try await measure("there", port)
            redis.send(SIGSTOP)
            try await measure("hung", port)
            redis.send(SIGCONT)
            try await recovered(store)
            proxy.delay = .milliseconds(200)
            try await measure("200 ms slow", port)
            proxy.delay = .zero
            try await recovered(store)
            try redis.ask("CONFIG", "SET", "maxmemory", "1")
            try await measure("full", port)
            try redis.ask("CONFIG", "SET", "maxmemory", "0")
            try redis.ask("REPLICAOF", "127.0.0.1", "1")
            try await measure("read-only", port)
            try redis.ask("REPLICAOF", "NO", "ONE")
            try await recovered(store)
            redis.send(SIGKILL)
            try await measure("killed", port)
            try await Task.detached { try Stopping().measure(origin: port, path: "/bare/stopping") }.value
        }
    }

    /// Measures many connections that request stored responses in an overloaded process: the responses of Redis are
    /// used, and the store does not pause its requests to Redis.
    private func measureCrowd(_ redis: RedisServer) async throws {
        let (outages, fetches) = (Count(), Count())
        let logger = Logger(label: "benchmarks") { _ in OutageLog(outages: outages) }
        let store = try RedisStore("redis://127.0.0.1:\(redis.port)", logger: logger)
        let cache = ResponseCache(store: store, logger: logger)
        try await withApplication(Self.router(cache, fetches: fetches), services: [cache], logger: logger) { port in
            try await recovered(store)
            let path = "/cached/crowd"
            try Connection(port: port).awaitHits(path)
            let (stored, count, duration) = (fetches.value, connections, seconds)
            let answered = try await Task.detached {
                try Crowd(of: count, port: port).ask(path, size: 1_000, for: .seconds(duration), atMost: .max)
            }.value
            print(
                "\(connections) connections on a healthy Redis: \(answered) answers, \(outages.value) trips, "
                    + "\(fetches.value - stored) needless origin requests"
            )
        }
    }

    /// Measures both routes, each with four connections.
    private func measure(_ name: String, _ port: Int) async throws {
        for path in ["/bare/", "/cached/"] {
            let count = requests / 4
            let (times, hits) = try await Task.detached {
                let results = Results()
                DispatchQueue.concurrentPerform(iterations: 4) { worker in
                    do {
                        let connection = try Connection(port: port)
                        for number in 0..<count {
                            let start = ContinuousClock.now
                            // Half of the keys are requested again.
                            let answer = try connection.get(
                                "\(path)\(worker)-\(number / 2)-\(name.filter { $0 != " " })"
                            )
                            guard answer.head.hasPrefix("HTTP/1.1 200") else {
                                throw BenchmarkError(description: "\(path) is not answered by a 200")
                            }
                            results.add(ContinuousClock.now - start, isHit: answer.head.contains("; hit"))
                        }
                    } catch {
                        results.fail(error)
                    }
                }
                return try results.finish()
            }.value
            func milliseconds(_ place: Int) -> String {
                let (seconds, attoseconds) = times[min(place, times.count - 1)].components
                return String(format: "%.2f", Double(seconds) * 1_000 + Double(attoseconds) / 1e15)
            }
            let route = path == "/bare/" ? "bare" : "cached"
            let columns = [
                name.padding(toLength: 13, withPad: " ", startingAt: 0),
                route.padding(toLength: 6, withPad: " ", startingAt: 0), "\(times.count)",
                milliseconds(times.count / 2), milliseconds(times.count * 99 / 100), milliseconds(times.count - 1),
                "\(hits)",
            ]
            print(columns.joined(separator: " | "))
        }
    }

    private func recovered(_ store: RedisStore) async throws {
        while !store.isAvailable || store.pendingInvalidations > 0 { try await Task.sleep(for: .milliseconds(100)) }
    }

    private static func router(_ cache: ResponseCache, fetches: Count) -> Router<BasicRequestContext> {
        let router = Router()
        let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1_000)
        router.get("bare/:id") { _, _ in Response(status: .ok, body: ResponseBody(byteBuffer: body)) }
        router.post("bare/:id") { _, _ in Response(status: .ok, body: ResponseBody(byteBuffer: body)) }
        router.group("cached/:id").cached(by: cache, for: .seconds(600)).get { _, _ in
            fetches.add()
            return Response(status: .ok, body: ResponseBody(byteBuffer: body))
        }
        return router
    }
}

/// A number that several threads add to.
private final class Count: Sendable {
    private let number = Atomic(0)

    var value: Int { number.load(ordering: .relaxed) }

    func add() { number.wrappingAdd(1, ordering: .relaxed) }
}

/// A count of how often a store pauses its requests to Redis, according to its log.
private struct OutageLog: LogHandler {
    let outages: Count
    var logLevel = Logger.Level.warning
    var metadata: Logger.Metadata = [:]

    init(outages: Count) { self.outages = outages }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if "\(event.message)".contains("Redis does not answer") { outages.add() }
    }
}

/// The measurements of several threads.
private final class Results: @unchecked Sendable {
    private let lock = NSLock()
    private var times: [Duration] = []
    private var hits = 0
    private var failure: (any Error)?

    func add(_ time: Duration, isHit: Bool) {
        lock.withLock {
            times.append(time)
            if isHit { hits += 1 }
        }
    }

    func fail(_ error: any Error) { lock.withLock { failure = error } }

    func finish() throws -> (times: [Duration], hits: Int) {
        try lock.withLock {
            if let failure { throw failure }
            return (times.sorted(), hits)
        }
    }
}
