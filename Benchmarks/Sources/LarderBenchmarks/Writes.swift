import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// The effect of anonymous writes on stored responses: POSTs to distinct paths through a gateway, answered by
/// redirects.
struct Writes: Sendable {
    /// The number of writes that are sent as fast as they are answered.
    let count: Int
    /// The time for which writes are sent at a steady rate, in seconds: longer than the ttl of the responses that are
    /// stored meanwhile.
    let seconds: Int

    /// The number of writes per second at the steady rate.
    private static let rate = 1_000
    private static let stored = 1_000
    /// The ttl of the responses that are requested at the steady rate, in seconds.
    private static let ttl = 60

    func measure() async throws {
        let program = Stopping().program
        try await Self.withOrigin { origin in
            try await Task.detached {
                print("\nStore  | a redirect names         | writes | hits of \(Self.stored) stored before")
                for onRedis in [false, true] {
                    for isNamed in [false, true] {
                        try Self.withGateway(program, origin, onRedis) { try burst($0, onRedis, isNamed) }
                    }
                }
                print("\nStore  | writes in \(seconds) s | hits of warm keys with a ttl of \(Self.ttl) s")
                for onRedis in [false, true] {
                    try Self.withGateway(program, origin, onRedis) { try steady($0, onRedis) }
                }
            }.value
        }
    }

    /// Sends writes as fast as they are answered.
    private func burst(_ port: Int, _ onRedis: Bool, _ isNamed: Bool) throws {
        let filler = try Connection(port: port)
        for number in 0..<Self.stored { _ = try filler.get("/long/\(number)") }
        let (threads, count) = (8, count)
        let writes = Tally()
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            do {
                let connection = try Connection(port: port)
                for number in 0..<count / threads {
                    let path = "/\(isNamed ? "named" : "plain")/\(thread)-\(number)"
                    writes.add(try connection.post(path).head.hasPrefix("HTTP/1.1 302"))
                }
            } catch {
                writes.fail(error)
            }
        }
        let (sent, answered) = try writes.finish()
        guard sent == answered else { throw BenchmarkError(description: "A write is not answered by the origin's 302") }
        // The first connection may have been idle for too long by now.
        let reader = try Connection(port: port)
        let hits = try (0..<Self.stored).count { try reader.get("/long/\($0)").head.contains("; hit") }
        let names = isNamed ? "Location, Content-Location" : "nothing                   "
        print("\(Self.name(onRedis)) | \(names) | \(sent) | \(hits)")
    }

    /// Sends writes at a steady rate, while a reader requests a hundred keys in turn.
    private func steady(_ port: Int, _ onRedis: Bool) throws {
        let (writes, reads) = (Tally(), Tally())
        let end = ContinuousClock.now + .seconds(seconds)
        DispatchQueue.concurrentPerform(iterations: 2) { thread in
            do {
                let connection = try Connection(port: port)
                var number = 0
                while ContinuousClock.now < end, !writes.isOver {
                    // The writes of a tenth of a second, and a pause until the next.
                    let next = ContinuousClock.now + .milliseconds(100)
                    for _ in 0..<(thread == 0 ? Self.rate / 10 : 50) {
                        number += 1
                        if thread == 0 {
                            writes.add(try connection.post("/named/\(number)").head.hasPrefix("HTTP/1.1 302"))
                        } else {
                            reads.add(try connection.get("/short/\(number % 100)").head.contains("; hit"))
                        }
                    }
                    let left = next - ContinuousClock.now
                    if left > .zero { Thread.sleep(forTimeInterval: left / .seconds(1)) }
                }
            } catch {
                writes.fail(error)
            }
        }
        let (sent, _) = try writes.finish()
        let (asked, hits) = try reads.finish()
        print("\(Self.name(onRedis)) | \(sent) | \(hits) of \(asked)")
    }

    private static func name(_ onRedis: Bool) -> String { onRedis ? "Redis " : "memory" }

    /// Runs a gateway in a separate process, with a separate Redis if it needs one.
    private static func withGateway(
        _ program: URL,
        _ origin: Int,
        _ onRedis: Bool,
        _ body: (_ port: Int) throws -> Void
    ) throws {
        let redis = onRedis ? try RedisServer() : nil
        defer { redis?.end() }
        var options = ["--drain-delay", "0s"]
        if let redis { options += ["--store", "redis://127.0.0.1:\(redis.port)"] }
        let gateway = try RunningProxy(.larder(program, options: options), origin: origin, cores: 0..<1)
        defer { gateway.end() }
        try Connection(port: gateway.port).awaitHits("/long/first")
        try body(gateway.port)
    }

    /// Runs the origin until `body` returns.
    private static func withOrigin(_ body: (_ port: Int) async throws -> Void) async throws {
        let router = Router()
        for (name, ttl) in [("long", 3_600), ("short", ttl)] {
            router.get("\(name)/:id") { _, _ in
                Response(status: .ok, headers: [.cacheControl: "max-age=\(ttl)"], body: ResponseBody(byteBuffer: page))
            }
        }
        router.post("plain/:id") { _, _ in Response(status: .found, headers: [.contentLength: "0"]) }
        router.post("named/:id") { _, context in
            let id = try context.parameters.require("id")
            let fields: HTTPFields = [
                .location: "/there/\(id)", .contentLocation: "/here/\(id)", .contentLength: "0",
            ]
            return Response(status: .found, headers: fields)
        }
        var logger = Logger(label: "origin")
        logger.logLevel = .critical
        try await withApplication(router, logger: logger, body)
    }

    private static let page = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1_000)
}
