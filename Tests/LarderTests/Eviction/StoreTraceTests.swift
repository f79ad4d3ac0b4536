import Foundation
import HTTPCaching
import HTTPTypes
import LarderTestSupport
import NIOCore
import Testing

@testable import Larder

/// The hit ratios of the memory store itself on the traces of `Tests/LarderTests/Traces`. A short trace is enough for
/// each run; `make test-traces` runs all of them, in minutes.
@Suite(.timeLimit(.minutes(30))) struct StoreTraceTests {
    private static let runsAll = ProcessInfo.processInfo.environment["LARDER_TRACES"] != nil
    private static let now = Timestamp(secondsSinceEpoch: 1_800_000_000)

    /// Returns the part of the requests that a store of one shard finds, if an entry's cost is the size of its body.
    private static func hitRatio(
        of trace: Trace,
        capacity: Int,
        evicting: EvictionMethod = .byUse
    ) async -> Double {
        let store = MemoryStore(
            limit: .bytes(capacity),
            entryLimit: .bytes(capacity),
            shardCount: 1,
            versionLimit: 100,
            evicting: evicting,
            chargesOverhead: false
        )
        let first = await store.load(EntryLocation(key: CacheKey(legal: "GET:/"), target: "/"), at: now)
        let body = ByteBuffer(repeating: 120, count: Int(trace.sizes.max() ?? 1))
        var hits = 0
        for key in trace.keys {
            let location = EntryLocation(key: CacheKey(legal: "GET:/\(key)"), target: "/\(key)")
            if let found = store.find(location, at: now) {
                found.first?.noteUse()
                hits += 1
                continue
            }
            let size = trace.sizes.isEmpty ? 1 : Int(trace.sizes[Int(key)])
            let entry = CacheEntry(
                head: .init(status: .ok),
                body: body.getSlice(at: 0, length: size) ?? ByteBuffer(),
                lifetimes: lifetimes,
                selectingFields: .none,
                readVersion: first.readVersion,
                location: location,
                tags: []
            )
            _ = await store.save(entry, at: now)
        }
        store.validate()
        return Double(hits) / Double(trace.keys.count)
    }

    private static let lifetimes = CacheEntry.sample(
        "x",
        at: EntryLocation(key: CacheKey(legal: "GET:/"), target: "/"),
        readVersion: LogVersion(epoch: .new(), number: 0),
        now: now
    ).lifetimes

    @Test(arguments: ["web12"] + (runsAll ? ["orm_busy_2m", "zipf_1.0_scan"] : []))
    func `The store finds what its policy finds`(_ name: String) async throws {
        let trace = try Trace.named(name)
        // A store does not accept an entry that takes more than its capacity, with all that is not charged here.
        for row in try ReferenceValues.rows(of: name) where row.capacity > 1_300 && !row.isInBytes {
            let expected = try #require(row.misses["S3FIFO-b"])
            let ratio = await Self.hitRatio(of: trace, capacity: row.capacity)
            #expect(abs(ratio - (1 - expected.requests)) <= 0.005, "\(ratio) at \(row.capacity)")
        }
    }

    @Test(
        .enabled(if: runsAll, "make test-traces runs it"),
        arguments: [
            ("twitter52_1m", 2_922_722, 0.811), ("twitter52_1m", 292_272, 0.690), ("zipf_1.0", 10_000, 0.781),
            ("zipf_1.0_scan", 10_000, 0.704),
        ]
    )
    func `The hit ratio of the store does not fall below a floor`(
        _ name: String,
        _ capacity: Int,
        _ floor: Double
    ) async throws {
        let ratio = await Self.hitRatio(of: try Trace.named(name), capacity: capacity)
        print("\(name) at \(capacity): hit ratio \(ratio)")
        #expect(ratio >= floor)
    }

    @Test(
        .enabled(if: runsAll, "make test-traces runs it"),
        arguments: [
            ("twitter52_1m", 2_922_722), ("twitter52_1m", 292_272), ("zipf_0.8_sized", 21_704_191),
            ("zipf_0.8_sized", 217_041_912),
        ]
    )
    func `The store finds more requests by size and use if sizes vary, as the reference does`(
        _ name: String,
        _ capacity: Int
    ) async throws {
        let trace = try Trace.named(name)
        let rows = try ReferenceValues.rows(of: name)
        let row = try #require(rows.first { $0.capacity == capacity && $0.isInBytes })
        let expected = try #require(row.misses["LGDSF"])
        let ratio = await Self.hitRatio(of: trace, capacity: capacity, evicting: .bySizeAndUse)
        print("\(name) at \(capacity) by size and use: hit ratio \(ratio)")
        #expect(abs(ratio - (1 - expected.requests)) <= 0.005)
        #expect(ratio > 1 - (try #require(row.misses["S3FIFO-b"])).requests)
    }
}
