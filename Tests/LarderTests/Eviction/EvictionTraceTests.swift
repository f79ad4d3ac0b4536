import Foundation
import Testing

@testable import Larder

/// The policies against the reference values of `Tests/LarderTests/Traces`. A short trace is enough for each run;
/// `make test-traces` runs all of them, in minutes.
@Suite(.timeLimit(.minutes(30))) struct EvictionTraceTests {
    private static let runsAll = ProcessInfo.processInfo.environment["LARDER_TRACES"] != nil
    private static let others = [
        "twitter52_1m", "orm_busy_2m", "zipf_0.8", "zipf_1.0", "zipf_1.0_scan", "zipf_0.8_sized",
    ]
    private static let traces = ["web12"] + (runsAll ? others : [])

    private static let exact: [(name: String, policy: any ReferencePolicy.Type)] = [
        ("LRU", ReferenceLRU.self), ("FIFO", ReferenceFIFO.self), ("CLOCK", ReferenceCLOCK.self),
        ("SIEVE", ReferenceSIEVE.self), ("S3FIFO", ReferenceS3FIFOTwice.self), ("S3FIFO-t1", ReferenceS3FIFOOnce.self),
    ]

    private static let own: [(name: String, policy: any EvictionPolicy.Type, tolerance: Double)] = [
        ("LRU", LRUPolicy.self, 2e-6), ("S3FIFO-b", S3FIFOPolicy.self, 0.005),
        ("LGDSF", SizeAndFrequencyPolicy.self, 0.005),
    ]

    private struct Misses {
        var requests = 0.0
        var bytes = 0.0
    }

    /// Returns the parts of the requests, and of their bytes, that are not found.
    private static func misses(of trace: Trace, isInBytes: Bool, _ request: (Int32, Int) -> Bool) -> Misses {
        var (misses, missed, bytes) = (0, 0, 0)
        for key in trace.keys {
            let size = isInBytes ? Int(trace.sizes[Int(key)]) : 1
            bytes += size
            guard !request(key, size) else { continue }
            misses += 1
            missed += size
        }
        return Misses(
            requests: Double(misses) / Double(trace.keys.count),
            bytes: Double(missed) / Double(bytes)
        )
    }

    private static func misses<Policy: ReferencePolicy>(
        _ type: Policy.Type,
        _ trace: Trace,
        _ row: ReferenceValues.Row
    ) -> Misses {
        var policy = Policy(capacity: row.capacity, keyCount: trace.keyCount)
        return misses(of: trace, isInBytes: row.isInBytes) { policy.request($0, size: $1) }
    }

    private static func misses<Policy: EvictionPolicy>(
        _ type: Policy.Type,
        _ trace: Trace,
        _ row: ReferenceValues.Row
    ) -> Misses {
        var simulation = EvictionSimulation<Policy>(capacity: row.capacity)
        return misses(of: trace, isInBytes: row.isInBytes) { simulation.request(UInt64($0), cost: $1) }
    }

    @Test(arguments: traces) func `The reference policies have exactly the reference values`(_ name: String) throws {
        let trace = try Trace.named(name)
        let rows = try ReferenceValues.rows(of: name)
        #expect(!rows.isEmpty)
        for row in rows {
            for (policy, type) in Self.exact {
                let expected = try #require(row.misses[policy])
                let misses = Self.misses(type, trace, row)
                #expect(abs(misses.requests - expected.requests) <= 2e-6, "\(policy) at \(row.capacity): \(misses)")
                guard let bytes = expected.bytes else { continue }
                #expect(abs(misses.bytes - bytes) <= 2e-6, "\(policy) at \(row.capacity): \(misses)")
            }
        }
    }

    @Test(arguments: traces) func `The policies of the store have the reference values`(_ name: String) throws {
        let trace = try Trace.named(name)
        for row in try ReferenceValues.rows(of: name) {
            for (policy, type, tolerance) in Self.own {
                let expected = try #require(row.misses[policy])
                let misses = Self.misses(type, trace, row)
                #expect(
                    abs(misses.requests - expected.requests) <= tolerance,
                    "\(policy) at \(row.capacity): \(misses), expected \(expected)"
                )
                if let bytes = expected.bytes {
                    #expect(abs(misses.bytes - bytes) <= 0.04, "\(policy) at \(row.capacity): \(misses)")
                }
                if ProcessInfo.processInfo.environment["LARDER_TRACES"] == "print" {
                    print(name, policy, row.capacity, misses.requests, expected.requests)
                }
            }
        }
    }
}
