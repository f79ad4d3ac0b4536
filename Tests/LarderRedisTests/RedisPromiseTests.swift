import HTTPTypes
import Larder
import LarderRedis
import LarderTestSupport
import NIOConcurrencyHelpers
import RedisClient
import TestHelpers
import Testing

/// The promise of docs/invalidation.md with two processes on one Redis, under load: a request that starts after a write
/// was acknowledged never gets a body that was rendered before it.
@Suite(.timeLimit(.minutes(10))) struct RedisPromiseTests {
    private static let policy = CachePolicy.fresh(for: .seconds(60)).tagged("rows").readingTags

    /// Writes a row and invalidates it: by the path of what changed, or by a scope that includes it.
    private static func write(_ row: Int, _ kind: Int, through process: Process) async throws {
        switch kind {
        case 0..<4: _ = try await process.put("/row/\(row)")
        case 4..<8: await process.cache.invalidate(.tag("late-\(row)"))
        case 8: await process.cache.remove(EntryLocation("/row/\(row)").key)
        case 9: await process.cache.invalidate(.prefix("/row"))
        default: await process.cache.invalidate(.tag("rows"))
        }
    }

    @Test(arguments: [(UInt64(1), 10_000), (2, 3)]) func `A write through one process is read through the other`(
        _ seed: UInt64,
        _ versionLimit: Int
    ) async throws {
        let rows = 4
        var limits = StoreLimits()
        limits.versionLimit = versionLimit
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis, limits) { stores in
                let clock = ManualClock(now: WallClock.system.now)
                let processes = stores.map { Process($0, clock) }
                let versions = (0..<rows).map { _ in Versions() }
                let origins = (0..<rows).map { row in
                    TestOrigin { _ in
                        let version = versions[row].committed
                        // This gives a write the time to overtake a fill.
                        for _ in 0..<version % 20 { await Task.yield() }
                        return TestResponse("\(version)", [.cacheTagForTests: "late-\(row)"])
                    }
                }
                let hits = try await withThrowingTaskGroup(of: Int.self) { group in
                    for writer in 0..<2 {
                        group.addTask {
                            var random = SeededRandom(seed: seed << 8 | UInt64(writer))
                            for _ in 0..<200 {
                                let row = Int.random(in: 0..<rows, using: &random)
                                let version = versions[row].commit()
                                try await Self.write(
                                    row,
                                    .random(in: 0...10, using: &random),
                                    through: processes[writer]
                                )
                                versions[row].acknowledge(version)
                                for _ in 0..<Int.random(in: 0..<40, using: &random) { await Task.yield() }
                            }
                            return 0
                        }
                    }
                    for reader in 0..<6 {
                        group.addTask {
                            var random = SeededRandom(seed: seed << 8 | 0x80 | UInt64(reader))
                            var hits = 0
                            for _ in 0..<300 {
                                let row = Int.random(in: 0..<rows, using: &random)
                                let acknowledged = versions[row].acknowledged
                                let process = processes[reader % 2]
                                let answer = try await process.get(
                                    "/row/\(row)",
                                    under: Self.policy,
                                    from: origins[row]
                                )
                                let text = try await answer.text
                                let version = try #require(Int(text))
                                #expect(version >= acknowledged, "row \(row), seed \(seed): \(answer.cacheStatusText)")
                                if answer.isHit { hits += 1 }
                            }
                            return hits
                        }
                    }
                    return try await group.reduce(0, +)
                }
                // A test without hits would prove nothing.
                #expect(hits > 50)
                for row in 0..<rows {
                    let text = try await processes[row % 2].get("/row/\(row)", under: Self.policy, from: origins[row])
                        .text
                    #expect(text == "\(versions[row].committed)")
                }
            }
        }
    }
}
