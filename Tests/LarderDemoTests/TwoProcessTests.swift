import HTTPTypes
import HummingbirdTesting
import Larder
import LarderDemo
import LarderRedis
import LarderTestSupport
import Logging
import RedisClient
import TestHelpers
import Testing

/// Tests of two servers, each with a store on one Redis, over shared data: like two processes with one database.
@Suite(.timeLimit(.minutes(5))) struct TwoProcessTests {
    @Test func `A read after an acknowledged write never returns older data, in either process`() async throws {
        try await withTwo { first, second in
            try await Load.run(on: try #require(first.port), try #require(second.port)) { load in
                await load.answers(3_000)
                let sum = load.nextPhase()[0]
                #expect(sum.wrong.isEmpty && sum.hits > 300 && sum.requests >= 3_000)
                #expect(
                    sum.count("GET 200") + sum.count("PUT 200") + sum.count("DELETE 200") + sum.count("DELETE 404")
                        == sum.statuses.values.reduce(0, +)
                )
                #expect(sum.count("PUT 200") > 100 && sum.count("DELETE 200") > 0)
            }
        }
    }

    @Test func `An entry of one process is a hit in the other, and a miss after a write or deletion`() async throws {
        try await withTwo { first, second in
            for (one, other, name) in [(first, second, "by one"), (second, first, "by the other")] {
                #expect(try await !one.send(.get, "/api/users/1").isHit)
                #expect(try await other.send(.get, "/api/users/1").isHit)
                let put = try await one.send(.put, "/api/users/1", body: #"{"name":"\#(name)"}"#)
                #expect(put.status == .ok)
                let read = try await other.send(.get, "/api/users/1")
                #expect(!read.isHit && read.text == #"{"user":{"id":1,"name":"\#(name)"}}"#)
                #expect(try await one.send(.get, "/api/users/1").isHit)
                #expect(try await one.send(.delete, "/api/invalidate/GET:/api/users/1").status == .ok)
                #expect(try await other.send(.delete, "/api/invalidate/GET:/api/users/1").status == .notFound)
            }
        }
    }

    @Test func `Shared keys are counted once, and requests by the process that answered them`() async throws {
        try await withTwo { first, second in
            for id in 1...5 {
                _ = try await first.send(.get, "/api/users/\(id)")
                _ = try await second.send(.get, "/api/users/\(id + 2)")
            }
            let metrics = [try await first.metrics(), try await second.metrics()]
            #expect(metrics.map(\.totalCachedKeys) == [7, 7])
            #expect(metrics.map { $0.hits + $0.misses } == [5, 5])
            #expect(metrics.reduce(0) { $0 + $1.misses } == 7)
        }
    }

    private func withTwo(
        _ test: @escaping @Sendable (any TestClientProtocol, any TestClientProtocol) async throws -> Void
    ) async throws {
        try await RedisProcess.run { redis in
            let repository = Repository()
            let stores = try (0..<2).map { _ in
                try RedisStore(.longTimeouts(redis.port), options: .longTimeouts, logger: .silent)
            }
            try await serve(ResponseCache(store: stores[0]), repository: repository) { first in
                try await serve(ResponseCache(store: stores[1]), repository: repository) { second in
                    try await eventually("both are connected") { stores.allSatisfy(\.isAvailable) }
                    try await test(first, second)
                }
            }
        }
    }
}
