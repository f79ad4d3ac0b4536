import Foundation
import HTTPTypes
import Hummingbird
import Larder
import LarderHummingbird
import LarderRedis
import Logging
import NIOCore

/// The effect of a flood on a Redis of 64 MB under each eviction policy, and the effect of large responses on small
/// ones.
struct Floods: Sendable {
    let urls: Int

    private static let memory = 64 * 1_024 * 1_024
    /// The number of variants of the large page, and its size in bytes.
    private static let variants = 8
    private static let size = 500_000

    func measure() async throws {
        print("\nA Redis of 64 MB | URLs | entries | part of what the log leaves | OOM | hits of a hot URL, after")
        for policy in ["volatile-lru", "volatile-ttl", "allkeys-lru", "noeviction"] {
            let redis = try RedisServer("--maxmemory", "64mb", "--maxmemory-policy", policy)
            defer { redis.end() }
            try await Self.serve(redis) { port in try await flood(redis, policy, port) }
        }
        print("\nA page of 500 KB on 20 connections | hits of small keys")
        for variants in [1, Self.variants] {
            let redis = try RedisServer()
            defer { redis.end() }
            try await Self.serve(redis) { port in try await crowd(variants, port) }
        }
    }

    /// Requests distinct URLs, and one URL again and again.
    private func flood(_ redis: RedisServer, _ policy: String, _ port: Int) async throws {
        let before = try redis.number("used_memory:", in: "memory")
        let urls = urls
        let (asked, hits) = try await Task.detached {
            let hot = Tally()
            DispatchQueue.concurrentPerform(iterations: 4) { worker in
                do {
                    let connection = try Connection(port: port)
                    for number in 0..<urls / 4 {
                        _ = try connection.get("/small/\(worker)-\(number)/")
                        guard number.isMultiple(of: 20) else { continue }
                        hot.add(try connection.get("/small/hot/").head.contains("; hit"))
                    }
                } catch {
                    hot.fail(error)
                }
            }
            return try hot.finish()
        }.value
        let connection = try Connection(port: port)
        let after = try (0..<100).count { _ in try connection.get("/small/hot/").head.contains("; hit") }
        let log = Int(try redis.ask("MEMORY", "USAGE", "larder:3:{log}").filter(\.isNumber)) ?? 0
        let entries = (Int(try redis.ask("DBSIZE").filter(\.isNumber)) ?? 1) - 1
        let used = try redis.number("used_memory:", in: "memory") - before - log
        let part = Double(used) / Double(Self.memory - before - log)
        let refused = try redis.number("errorstat_OOM:count=", in: "errorstats")
        print(
            "\(policy.padding(toLength: 12, withPad: " ", startingAt: 0)) | \(urls) | \(entries) |",
            String(format: "%.2f", part),
            "| \(refused) | \(hits) of \(asked), \(after) of 100"
        )
    }

    /// Requests a large page on twenty connections, and small keys on one.
    private func crowd(_ variants: Int, _ port: Int) async throws {
        let (asked, hits) = try await Task.detached {
            let first = try Connection(port: port)
            for variant in 0..<variants { _ = try first.get("/large/", language: "l\(variant)") }
            for key in 0..<20 { _ = try first.get("/small/\(key)/") }
            let (small, large) = (Tally(), Tally())
            DispatchQueue.concurrentPerform(iterations: 21) { worker in
                do {
                    let connection = try Connection(port: port)
                    if worker == 0 {
                        for number in 0..<2_000 {
                            small.add(try connection.get("/small/\(number % 20)/").head.contains("; hit"))
                        }
                        small.end()
                    } else {
                        while !small.isOver {
                            let language = "l\(worker % variants)"
                            large.add(try connection.get("/large/", language: language).head.contains("; hit"))
                        }
                    }
                } catch {
                    small.fail(error)
                }
            }
            return try small.finish()
        }.value
        print("\(variants) variants | \(hits) of \(asked)")
    }

    /// Runs a server that caches in Redis until `body` returns.
    private static func serve(_ redis: RedisServer, _ body: (Int) async throws -> Void) async throws {
        var logger = Logger(label: "benchmarks")
        logger.logLevel = .critical
        let store = try RedisStore("redis://127.0.0.1:\(redis.port)", logger: logger)
        let cache = ResponseCache(store: store, logger: logger)
        let router = Router()
        let small = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1_000)
        let large = ByteBuffer(repeating: UInt8(ascii: "x"), count: size)
        router.group("small/:id").cached(by: cache, for: .seconds(600)).get { _, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: small))
        }
        router.group("large").cached(by: cache, for: .seconds(600)).get { _, _ in
            Response(status: .ok, headers: [.vary: "Accept-Language"], body: ResponseBody(byteBuffer: large))
        }
        try await withApplication(router, services: [cache], logger: logger) { port in
            while !store.isAvailable { try await Task.sleep(for: .milliseconds(20)) }
            try await body(port)
        }
    }
}
