import DictionaryStore
import Larder
import LarderTestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct DictionaryStoreTests {
    @Test(arguments: StoreBehaviour.all)
    func `A dictionary store behaves as every store must`(_ behaviour: StoreBehaviour) async throws {
        let clock = ManualClock()
        let store = DictionaryStore(
            limit: behaviour.limits.limit,
            entryLimit: behaviour.limits.entryLimit,
            variantLimit: behaviour.limits.variantLimit,
            versionLimit: behaviour.limits.versionLimit
        )
        try await behaviour.check(on: StoreBench(store, clock: clock))
    }

    @Test func `Entries are evicted when the store is full`() async throws {
        let cache = ResponseCache(store: DictionaryStore(limit: .mebibytes(1)))
        let text = String(repeating: "x", count: 10_000)
        for id in 0..<200 { _ = try await cache.value("text", parts: id, for: .seconds(60)) { text } }
        #expect((20...100).contains(await cache.count()))
    }

    @Test func `Stored values do not take the memory for bodies in flight`() async throws {
        let store = DictionaryStore(limit: .mebibytes(64))
        let cache = ResponseCache(store: store, limits: CacheLimits(bodiesInFlight: .mebibytes(1)))
        let text = String(repeating: "x", count: 100_000)
        for id in 0..<50 { _ = try await cache.value("text", parts: id, for: .seconds(60)) { text } }
        #expect(await cache.count() == 50)
    }
}
