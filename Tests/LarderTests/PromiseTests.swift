import HTTPTypes
import Larder
import LarderTestSupport
import NIOConcurrencyHelpers
import NIOCore
import TestHelpers
import Testing

/// The promise of docs/invalidation.md over the whole engine: flights, refreshes, streams and late tags beside writers.
@Suite(.timeLimit(.minutes(10))) struct PromiseTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `A request after an acknowledged write never gets a response from before it`(_ seed: UInt64) async throws {
        let bench = Bench(
            limits: CacheLimits(flights: seed == 4 ? 2 : 100, failurePause: .zero, longestFailurePause: .zero)
        )
        let rows = (0..<3).map { _ in Versions() }
        let policy = CachePolicy.fresh(for: .seconds(2)).stale(whileRevalidating: .seconds(30))
            .stale(ifError: .seconds(60)).readingTags
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<24 as Range<UInt64> {
                group.addTask {
                    var random = SeededRandom(seed: seed &* 100 &+ task)
                    for _ in 0..<250 {
                        let id = Int.random(in: rows.indices, using: &random)
                        switch (task, Int.random(in: 0..<10, using: &random)) {
                        case (..<2, _): try await Self.write(id, rows[id], on: bench, using: &random)
                        case (2, 0): bench.clock.advance(by: .seconds(1))
                        case (2, _): await Task.yield()
                        default: try await Self.read(id, rows[id], on: bench, policy, using: &random)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        await bench.cache.idle()
        bench.store.validate()
        #expect(bench.cache.waiterCount == 0)
    }

    private static func write(
        _ id: Int,
        _ row: Versions,
        on bench: Bench,
        using random: inout SeededRandom
    ) async throws {
        for _ in 0..<Int.random(in: 0...10, using: &random) { await Task.yield() }
        let version = row.commit()
        switch Int.random(in: 0..<6, using: &random) {
        case 0: await bench.cache.invalidate(.path(CachePath("/rows/\(id)")))
        case 1: await bench.cache.invalidate(.prefix("/rows"))
        case 2: await bench.cache.invalidate(.tag("row-\(id)"))
        case 3: await bench.cache.invalidate(.everything)
        case 4: await bench.cache.remove(try #require(CacheKey("GET:/rows/\(id)")))
        default: _ = try await bench.send(.put, "/rows/\(id)", to: TestOrigin { _ in TestResponse("") })
        }
        row.acknowledge(version)
    }

    private static func read(
        _ id: Int,
        _ row: Versions,
        on bench: Bench,
        _ policy: CachePolicy,
        using random: inout SeededRandom
    ) async throws {
        let (kind, pauses) = (Int.random(in: 0..<20, using: &random), Int.random(in: 0..<4, using: &random))
        let origin = TestOrigin { _ in
            let text = "\(row.committed)"
            for _ in 0..<pauses { await Task.yield() }
            var fields: HTTPFields = [.cacheTagForTests: "row-\(id)"]
            switch kind {
            case 0: throw TestFailure("down", status: .serviceUnavailable)
            case 1: return TestResponse(text, status: .notFound, fields)
            case 2: fields[.cacheControl] = "no-store"
            case 3, 4:
                return TestResponse(fields) { sink in
                    try await sink.write(ByteBuffer(string: text))
                    await Task.yield()
                    if kind == 3 { throw TestFailure("broken") }
                    try await sink.finish()
                }
            default: break
            }
            return TestResponse(text, fields)
        }
        let request: HTTPFields = [5: [.cacheControl: "no-cache"], 6: [.cacheControl: "max-stale"]][kind] ?? [:]
        let acknowledged = row.acknowledged
        do {
            let text = try await bench.get("/rows/\(id)", request, under: policy, from: origin).text
            #expect(try #require(Int(text)) >= acknowledged)
        } catch is TestFailure {}
    }
}
