#if os(Linux)
    import FoundationEssentials
    import HTTPCaching
    import HTTPTypes
    import LarderTestSupport
    import NIOCore
    import Testing

    @testable import Larder

    /// The size that the store reports, against the growth of the process: a separate process, in which no other test
    /// allocates at the same time.
    @Suite(.timeLimit(.minutes(5))) struct MemoryTests {
        /// Returns the resident memory in bytes, from the line `Rss: 1234 kB`. The figures of `/proc/self/statm` and
        /// `/proc/self/status` lag behind by some pages for each thread.
        private static func residentBytes() throws -> Int {
            let lines = try String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8).split(separator: "\n")
            let line = try #require(lines.first { $0.hasPrefix("Rss:") })
            return try #require(Int(line.split(separator: " ")[1])) << 10
        }

        @Test func `The memory that is charged is at least the growth of the process`() async {
            await #expect(processExitsWith: .success) { try await MemoryTests.checkCharge(ofBodies: 40) }
            await #expect(processExitsWith: .success) { try await MemoryTests.checkCharge(ofBodies: 1_000) }
        }

        private static func entry(_ id: Int, _ size: Int, _ version: LogVersion, _ now: Timestamp) -> CacheEntry {
            let location = EntryLocation(key: CacheKey(legal: "GET:/api/things/\(id)"), target: "/api/things/\(id)")
            let fields: HTTPFields = [.contentType: "application/json; charset=utf-8", .contentLength: "\(size)"]
            let head = HTTPResponse(status: .ok, headerFields: fields)
            return CacheEntry(
                request: HTTPRequest(method: .get, scheme: "http", authority: "example.org", path: location.target),
                head: head,
                body: ByteBuffer(repeating: 120, count: size),
                lifetimes: CacheEntry.sample("x", at: location, readVersion: version, now: now).lifetimes,
                readVersion: version,
                location: location,
                tags: []
            )
        }

        private static func readVersion(of store: MemoryStore, _ now: Timestamp) async -> LogVersion {
            await store.load(EntryLocation(key: CacheKey(legal: "GET:/"), target: "/"), at: now).readVersion
        }

        static func checkCharge(ofBodies size: Int) async throws {
            let now = ManualClock().now
            let store = MemoryStore(limit: .gibibytes(1))
            let version = await readVersion(of: store, now)
            let before = try residentBytes()
            for id in 0..<40_000 { _ = await store.save(entry(id, size, version, now), at: now) }
            let given = try residentBytes() - before
            #expect(await store.count(at: now) == 40_000)
            #expect(Double(given) < 1.15 * Double(store.size.bytes), "grew by \(given), charged \(store.size.bytes)")
        }

        @Test func `A small entry takes at most 160 bytes beside its key and its body`() async {
            await #expect(processExitsWith: .success) { try await MemoryTests.checkOverhead(ofBodies: 40) }
        }

        /// The growth of the resident memory, without keys and bodies, for each of 150,000 entries. The objects of the
        /// entries that were used last are measured too: those that the store holds beside the packed entries.
        static func checkOverhead(ofBodies size: Int) async throws {
            let now = ManualClock().now
            let store = MemoryStore(limit: .gibibytes(1))
            let version = await readVersion(of: store, now)
            // The first entries take what is taken once.
            for id in 0..<10_000 { _ = await store.save(entry(id, size, version, now), at: now) }
            let before = try residentBytes()
            for id in 100_000..<250_000 { _ = await store.save(entry(id, size, version, now), at: now) }
            let given = try residentBytes() - before
            let overhead = given / 150_000 - size - "GET:/api/things/100000".utf8.count
            #expect(overhead <= 160, "\(overhead) bytes")
            withExtendedLifetime(store) {}
        }

        @Test func `The memory stays near the limit while keys come and go`() async {
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(.mebibytes(48), keys: 100_000, sizes: 1_000...1_000)
            }
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(.mebibytes(64), keys: 80_000, sizes: 100...3_000)
            }
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(.mebibytes(96), keys: 600, sizes: 65_536...1_048_576)
            }
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(
                    .mebibytes(64),
                    keys: 60_000,
                    sizes: 200...200,
                    2_000...2_000,
                    40...400,
                    // The heap keeps a part of the tables that have become smaller.
                    atMost: 1.25
                )
            }
        }

        /// The ten million keys of the full campaign, which `make test-memory` runs, built for release.
        @Test(.enabled(if: runsAll, "make test-memory runs it"))
        func `The memory stays near the limit while ten million keys come and go`() async {
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(.mebibytes(256), keys: 10_000_000, sizes: 200...2_000)
            }
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(.mebibytes(256), keys: 10_000_000, sizes: 40...40)
            }
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(.mebibytes(256), keys: 20_000, sizes: 65_536...1_048_576)
            }
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(.mebibytes(256), keys: 200_000, sizes: 8_000...131_072)
            }
            await #expect(processExitsWith: .success) {
                try await MemoryTests.checkLimit(
                    .mebibytes(256),
                    keys: 1_000_000,
                    sizes: 200...200,
                    2_000...2_000,
                    40...40,
                    5_000...50_000,
                    300...3_000,
                    atMost: 1.25
                )
            }
        }

        private static let runsAll = ProcessInfo.processInfo.environment["LARDER_MEMORY"] == "1"

        /// Stores as many keys with bodies of each range of sizes, one range after the other, and uses some of them.
        static func checkLimit(
            _ limit: ByteCount,
            keys: Int,
            sizes: ClosedRange<Int>...,
            atMost most: Double = 1.15
        ) async throws {
            var random = SeededRandom(seed: 1)
            let now = ManualClock().now
            let before = try residentBytes()
            let store = MemoryStore(limit: limit)
            let version = await readVersion(of: store, now)
            var peak = 0
            for id in 0..<keys * sizes.count {
                let entry = entry(id, Int.random(in: sizes[id / keys], using: &random), version, now)
                _ = await store.save(entry, at: now)
                if id.isMultiple(of: 20) { for _ in 0..<2 { store.find(entry.location, at: now)?.first?.noteUse() } }
                if id.isMultiple(of: max(1, keys / 100)) { peak = max(peak, try residentBytes() - before) }
            }
            let ratio = Double(peak) / Double(limit.bytes)
            print("\(keys) keys, bodies of \(sizes) bytes: the process grew by \(ratio) of \(limit)")
            #expect(ratio <= most)
            #expect(store.size <= limit)
        }
    }
#endif
