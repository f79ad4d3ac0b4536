import Foundation
import HTTPCaching
import NIOCore
import TestHelpers
import Testing

@testable import Larder
@testable import LarderSimulation

/// The traces of `Tests/LarderTests/Traces`, read from their files and replayed. A short trace is enough for each run;
/// `make test-traces` runs all of them.
@Suite(.timeLimit(.minutes(30))) struct SimulationTraceTests {
    private static let runsAll = ProcessInfo.processInfo.environment["LARDER_TRACES"] != nil

    /// The bytes of a file of the traces.
    private static func reader(_ file: String, readsTargets: Bool = false) throws -> LogReader {
        let path = PackageFolder.root.appending(path: "Tests/LarderTests/Traces/\(file)")
        var options = ReadingOptions()
        options.readsTargets = readsTargets
        return LogReader(
            [.init(name: file, source: ByteArraySource([[UInt8](try Data(contentsOf: path))]))],
            options: options
        )
    }

    private static func report(_ file: String, _ stores: [StoreOptions]) async throws -> SimulationReport {
        var log = try reader(file, readsTargets: stores.contains { $0.policy == .store })
        try log.begin()
        let counts = try await Simulation(stores).run(&log)
        return SimulationReport(files: [file], reader: log, stores: stores, counts: counts)
    }

    private static func store(_ policy: SimulatedPolicy, _ memory: Int) -> StoreOptions {
        var store = StoreOptions(policy, memory: .bytes(memory))
        store.overhead = 0
        return store
    }

    /// Sizes in bytes, with the reference values for them.
    private static let largeValues: [(file: String, memory: Int, lru: Double, byUse: Double)] = [
        ("twitter52_1m.csv.gz", 2_922_722, 0.7909, 0.8124), ("twitter52_1m.csv.gz", 292_272, 0.6585, 0.6915),
    ]

    @Test func `The keys of a trace have the hit ratios of the reference`() async throws {
        let expected = try References.rows(of: "web12")
        #expect(expected.count >= 2)
        let policies: [(SimulatedPolicy, String)] = [(.lru, "LRU"), (.byUse, "S3FIFO-b"), (.bySizeAndUse, "LGDSF")]
        let stores = expected.flatMap { row in policies.map { Self.store($0.0, row.capacity) } }
        let report = try await Self.report("web12.keys.gz", stores)
        #expect(report.isOfKeys && report.totals.requests == 95_607 && report.totals.malformed == 0)
        for row in expected {
            for (policy, name) in policies {
                let found = report.rows(of: policy).first { $0.memory.bytes == row.capacity }
                let misses = try #require(row.misses[name])
                let ratio = try #require(found).hitRatio
                #expect(abs(ratio - (1 - misses)) <= (policy == .lru ? 2e-6 : 0.005), "\(name) at \(row.capacity)")
            }
        }
    }

    @Test(.enabled(if: runsAll, "make test-traces runs it"))
    func `A trace with sizes has the hit ratios of the reference`()
        async throws
    {
        let start = ContinuousClock.now
        let stores = Self.largeValues.flatMap { [Self.store(.lru, $0.memory), Self.store(.byUse, $0.memory)] }
        let report = try await Self.report("twitter52_1m.csv.gz", stores)
        print("a million rows, \(stores.count) stores: \(ContinuousClock.now - start)")
        #expect(report.totals.requests == 1_000_000 && report.totals.malformed == 0 && !report.isOfKeys)
        for value in Self.largeValues {
            let row = report.rows.filter { $0.memory.bytes == value.memory }
            #expect(abs(row[0].hitRatio - value.lru) < 5e-5 && abs(row[1].hitRatio - value.byUse) < 5e-5)
        }
    }

    @Test func `A simulated store finds and charges what the memory store does, if nothing is evicted`() async throws {
        // Lifetimes, writes and paths as in a log; 200 paths with bodies of up to 20 kB.
        var random = SeededGenerator(seed: 3)
        var text = ""
        for number in 0..<6_000 {
            let id = Int.random(in: 0..<200, using: &random)
            let target = "/\(["a", "b/c", "D/e/f/g"][id % 3])/\(id)" + ["", "/", "?q=\(id % 5)"][id / 3 % 3]
            let method = number % 50 == 0 ? "PUT" : "GET"
            text += #"{"ts":\#(number),"method":"\#(method)","uri":"\#(target)","status":200,"#
            text += #""size":\#(id * 100),"cache_control":"max-age=\#(id % 4 * 400 + 60)"}"# + "\n"
        }
        var log = logReader(text) { $0.readsTargets = true }
        var stores = [SimulatedPolicy.byUse, .store].map { StoreOptions($0, memory: .mebibytes(512)) }
        for place in stores.indices { stores[place].shardCount = 1 }
        let counts = try await Simulation(stores).run(&log)
        #expect(counts[0].hits > 1_000 && counts[0].evictions == 0)
        #expect(counts[0].hits == counts[1].hits && counts[0].hitBytes == counts[1].hitBytes)
        // The memory store also charges up to 64 KiB for each size of blocks, and objects of entries that were used
        // lately.
        let (predicted, actual) = (counts[0].peakBytes, counts[1].peakBytes)
        #expect(predicted <= actual && actual - predicted < 4 << 20, "\(predicted) \(actual)")
    }

    @Test func `The charges are those of entries`() throws {
        let limit = 64 << 20
        let charges = StoreCharges(SampleResponse.head, shardLimit: limit)
        let targets = [
            "/", "/a", "/a/b/c?d=e", "/" + String(repeating: "x/", count: 20), "/" + String(repeating: "y", count: 900),
        ]
        let start = Timestamp(nanosecondsSinceEpoch: 1_000_000_000)
        for target in targets {
            for size in [0, 1, 100, 127, 128, 3_000, 7_000, 8_192, 16_384, 131_071, 131_072, 1_000_000] {
                let key = try #require(CacheKey("GET:" + target))
                let location = EntryLocation(key: key, target: target)
                let entry = CacheEntry(
                    head: SampleResponse.head,
                    body: ByteBuffer(repeating: 0, count: size),
                    lifetimes: Lifetimes(from: start, until: start.advanced(by: .seconds(60))),
                    selectingFields: .none,
                    readVersion: LogVersion(epoch: .new(), number: 0),
                    location: location,
                    tags: []
                )
                let depth = target.prefix { $0 != "?" }.split(separator: "/").count
                let cost = charges.cost(body: size, target: target.utf8.count, depth: depth)
                var shard = MemoryShard(limit: limit, variantLimit: 1)
                var dropped: [CacheEntry] = []
                shard.save(entry, at: start, number: 0, dropping: &dropped)
                #expect(cost == shard.policy.bytes, "\(target) with \(size) bytes")
                shard.deallocateBlocks()
            }
        }
    }
}

/// The reference values of `expected.json`.
private enum References {
    private struct Document: Decodable {
        struct Policy: Decodable { let miss: Double }
        struct Size: Decodable {
            let cap: Int
            let policies: [String: Policy]
        }
        let miss: [String: [String: [String: Size]]]
    }

    /// Returns the capacities of a trace, in entries, with the miss ratios of each policy.
    static func rows(of trace: String) throws -> [(capacity: Int, misses: [String: Double])] {
        let file = PackageFolder.root.appending(path: "Tests/LarderTests/Traces/expected.json")
        let document = try JSONDecoder().decode(Document.self, from: Data(contentsOf: file))
        return (document.miss[trace]?["count"] ?? [:]).values.map { ($0.cap, $0.policies.mapValues(\.miss)) }
    }
}
