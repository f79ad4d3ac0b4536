import HTTPCaching
import HTTPTypes
import LarderTestSupport
import Testing

@testable import Larder

/// The variants under a key, as stores outside of this package hold them.
@Suite(.timeLimit(.minutes(5))) struct StoredVariantsTests {
    private let budget = InFlightBudget(limit: .mebibytes(1))
    private let now = Timestamp(secondsSinceEpoch: 1_800_000_000)
    private let location = EntryLocation(key: CacheKey(legal: "GET:/a"), target: "/a")
    private let epoch = LogVersion.Epoch.new()

    /// Creates an entry in flight, a variant for a language.
    private func entry(_ text: String, language: String, readAt number: UInt64 = 0) -> CacheEntry {
        let entry = CacheEntry.sample(
            text,
            at: location,
            readVersion: LogVersion(epoch: epoch, number: number),
            now: now,
            request: [.acceptLanguage: language],
            [.vary: "Accept-Language"]
        )
        entry.charge(to: budget)
        return entry
    }

    @Test func `The variants are in the order in which they were stored, the newest first`() {
        var variants = StoredVariants()
        #expect(variants.isEmpty && variants.cost == 0 && variants.entries.isEmpty)
        for language in ["en", "de", "fr", "de"] { variants.save(entry(language, language: language)) }
        #expect(variants.entries.map(\.text) == ["de", "fr", "en"])
        #expect(variants.cost == variants.entries.reduce(0) { $0 + $1.cost })
    }

    @Test(arguments: [(0, 1), (1, 1), (2, 2), (64, 4)])
    func `Beyond the limit the least recently used variants are evicted`(_ limit: Int, _ count: Int) {
        var variants = StoredVariants()
        for language in ["en", "de", "fr", "it"] { variants.save(entry(language, language: language), limit: limit) }
        #expect(variants.entries.count == count && variants.entries.first?.text == "it")
        guard count == 2 else { return }
        variants.entries.last?.markUsed()
        variants.save(entry("es", language: "es"), limit: 3)
        variants.save(entry("pt", language: "pt"), limit: 3)
        #expect(variants.entries.map(\.text) == ["pt", "es", "fr"])
    }

    @Test func `An entry is in flight unless it is among the variants`() {
        let (one, two) = (entry("1", language: "en"), entry("2", language: "en"))
        #expect(one.isInFlight && two.isInFlight)
        var variants = StoredVariants()
        variants.save(one)
        variants.save(one)
        #expect(!one.isInFlight && budget.used == two.cost)
        variants.save(two)
        #expect(one.isInFlight && !two.isInFlight)
        variants.removeAll { _ in false }
        #expect(!two.isInFlight)
        variants.removeAll { $0 === two }
        #expect(two.isInFlight && variants.isEmpty)
        variants.save(one)
        variants.discard(one)
        #expect(one.isInFlight && variants.isEmpty)
    }

    @Test func `Entries that no copy has any more are in flight again`() {
        let one = entry("1", language: "en")
        var table: [CacheKey: StoredVariants] = [:]
        table[location.key, default: StoredVariants()].save(one)
        let copy = table[location.key]
        table = [:]
        #expect(!one.isInFlight && copy?.entries.count == 1)
        withExtendedLifetime(copy) {}
        table[location.key, default: StoredVariants()].save(entry("2", language: "de"))
        table[location.key] = nil
        #expect(budget.used == (one.isInFlight ? one.cost : 0))
    }

    @Test func `Only the variant that was read at the same version is discarded`() {
        var variants = StoredVariants()
        let old = entry("old", language: "en")
        variants.save(old)
        variants.save(entry("new", language: "en", readAt: 1))
        variants.save(entry("de", language: "de"))
        variants.discard(old)
        #expect(variants.entries.map(\.text) == ["de", "new"])
        variants.discard(entry("equal", language: "en", readAt: 1))
        #expect(variants.entries.map(\.text) == ["de"])
    }
}
