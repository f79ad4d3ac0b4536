#if os(Linux)
    import FoundationEssentials
    import HTTPTypes
    import LarderTestSupport
    import Testing

    @testable import Larder

    /// The size that the store reports, against the growth of the process: a separate process, in which no other test
    /// allocates at the same time.
    @Suite(.timeLimit(.minutes(5))) struct MemoryTests {
        /// Returns the resident memory in bytes, from the second number of `/proc/self/statm`, the resident pages.
        private static func residentBytes() throws -> Int {
            let numbers = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return try #require(numbers.count > 1 ? Int(numbers[1]) : nil) * 4_096
        }

        @Test func `The memory that is charged is at least the growth of the process`() async {
            await #expect(processExitsWith: .success) { try await MemoryTests.checkCharge(ofBodies: 40) }
            await #expect(processExitsWith: .success) { try await MemoryTests.checkCharge(ofBodies: 1_000) }
        }

        static func checkCharge(ofBodies size: Int) async throws {
            let clock = ManualClock()
            let store = MemoryStore(limit: .gibibytes(1))
            let before = try residentBytes()
            for id in 0..<40_000 {
                let location = EntryLocation(key: CacheKey(legal: "GET:/api/things/\(id)"), target: "/api/things/\(id)")
                let readVersion = await store.load(location, at: clock.now).readVersion
                let text = String(repeating: "x", count: size)
                let fields: HTTPFields = [.contentType: "application/json; charset=utf-8", .contentLength: "\(size)"]
                let entry = CacheEntry.sample(text, at: location, readVersion: readVersion, now: clock.now, fields)
                _ = await store.save(entry, at: clock.now)
            }
            let given = try residentBytes() - before
            #expect(await store.count(at: clock.now) == 40_000)
            #expect(Double(given) < 1.15 * Double(store.size.bytes), "grew by \(given), charged \(store.size.bytes)")
        }
    }
#endif
