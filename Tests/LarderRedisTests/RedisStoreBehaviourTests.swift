import HTTPCaching
import Larder
import LarderTestSupport
import TestHelpers
import Testing

/// A store on a real Redis obeys the rules of all stores; the second handle is what another process would have.
@Suite(.timeLimit(.minutes(5))) struct RedisStoreBehaviourTests {
    @Test(arguments: StoreBehaviour.all) func `Redis stores obey each rule`(_ behaviour: StoreBehaviour) async throws {
        try await RedisProcess.run { redis in
            try await withStores(2, on: redis, behaviour.limits) { stores in
                let clock = WallClock.system
                let bench = StoreBench(
                    stores[0],
                    peer: stores[1],
                    now: { clock.now },
                    advance: { try await clock.sleep(for: $0) }
                )
                try await behaviour.check(on: bench)
            }
        }
    }
}
