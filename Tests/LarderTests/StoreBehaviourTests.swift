import Larder
import LarderTestSupport
import Testing

/// The memory store keeps the rules of all stores, with one lock and with several.
@Suite(.timeLimit(.minutes(5))) struct StoreBehaviourTests {
    @Test(arguments: StoreBehaviour.all, [1, 4])
    func `a memory store`(_ behaviour: StoreBehaviour, shardCount: Int) async throws {
        let clock = ManualClock()
        let limits = behaviour.limits
        let store = MemoryStore(
            limit: limits.limit,
            entryLimit: limits.entryLimit,
            shardCount: shardCount,
            stampLimit: limits.stampLimit,
            variantLimit: limits.variantLimit,
            clock: clock.clock
        )
        try await behaviour.check(on: StoreBench(store, now: { clock.now }, advance: { clock.advance(by: $0) }))
        store.validate()
    }

    @Test func `every behaviour has a name of its own`() {
        #expect(Set(StoreBehaviour.all.map(\.description)).count == StoreBehaviour.all.count)
    }
}
