import Larder
import TestHelpers
import Testing

/// Cached values: the rules for all stores, on a real Redis, with two caches as two processes have them.
@Suite(.timeLimit(.minutes(5))) struct RedisValueTests {
    @Test(arguments: ValueBehaviour.all)
    func `Values in Redis follow each rule`(_ behaviour: ValueBehaviour) async throws {
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis) { stores in
                let bench = ValueBench(
                    ResponseCache(store: stores[0], logger: .silent),
                    peer: ResponseCache(store: stores[1], logger: .silent),
                    advance: { try await WallClock.system.sleep(for: $0) }
                )
                try await behaviour.check(on: bench)
            }
        }
    }
}
