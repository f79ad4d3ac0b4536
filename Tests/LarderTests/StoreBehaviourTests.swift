import Larder
import LarderTestSupport
import Testing

/// The behaviour of all stores, checked for the memory store with one lock and with several.
@Suite(.timeLimit(.minutes(5))) struct StoreBehaviourTests {
    @Test(arguments: StoreBehaviour.all, [1, 4])
    func `A memory store behaves as every store must`(_ behaviour: StoreBehaviour, shardCount: Int) async throws {
        let clock = ManualClock()
        let limits = behaviour.limits
        let store = MemoryStore(
            limit: limits.limit,
            entryLimit: limits.entryLimit,
            shardCount: shardCount,
            versionLimit: limits.versionLimit,
            variantLimit: limits.variantLimit,
            clock: clock.clock
        )
        try await behaviour.check(on: StoreBench(store, clock: clock))
        store.validate()
    }

    @Test func `Every behaviour has a different name`() {
        #expect(Set(StoreBehaviour.all.map(\.description)).count == StoreBehaviour.all.count)
    }
}
