#if os(Linux)
    import FoundationEssentials
    import HTTPTypes
    import LarderTesting
    import Testing

    @testable import Larder

    /// What the store says it takes, against what the process grew by.
    @Suite(.serialized) struct MemoryTests {
        /// The second number of `/proc/self/statm`: resident pages.
        private static func residentBytes() throws -> Int {
            let numbers = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return try #require(numbers.count > 1 ? Int(numbers[1]) : nil) * 4_096
        }

        @Test(arguments: [40, 1_000]) func `the charge covers what the process grew by`(_ size: Int) async throws {
            // Tests beside this one grow the process as well, each once: of some stores, one is measured alone. All
            // are held, so that none gets the memory of another.
            var stores: [MemoryStore] = []
            var least = Int.max
            for _ in 0..<5 {
                let before = try Self.residentBytes()
                let store = await Self.fill(size)
                stores.append(store)
                least = min(least, try Self.residentBytes() - before)
                #expect(await store.count(at: ManualClock().now) == 40_000)
                if Double(least) < 1.15 * Double(store.size.bytes) { return }
            }
            Issue.record("grew by \(least) or more, charged \(stores.map(\.size.bytes))")
        }

        private static func fill(_ size: Int) async -> MemoryStore {
            let clock = ManualClock()
            let store = MemoryStore(limit: .gibibytes(1))
            for id in 0..<40_000 {
                let address = CacheAddress(key: CacheKey(legal: "GET:/api/things/\(id)"), target: "/api/things/\(id)")
                let birth = await store.load(address, at: clock.now).birth
                let text = String(repeating: "x", count: size)
                let fields: HTTPFields = [.contentType: "application/json; charset=utf-8", .contentLength: "\(size)"]
                let entry = CacheEntry.sample(text, at: address, born: birth, now: clock.now, fields)
                _ = await store.save(entry, at: clock.now)
            }
            return store
        }
    }
#endif
