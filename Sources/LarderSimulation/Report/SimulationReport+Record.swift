import HTTPCaching
import Larder

extension SimulationReport {
    /// The report for programs.
    package struct Record: Encodable, Sendable {
        /// The log.
        struct Log: Encodable, Sendable {
            let files: [String]
            let formats: [String]
            let requests: Int
            let bytes: Int
            let lookups: Int
            let writes: Int
            let withUser: Int
            let notStorable: Int
            let others: Int
            let malformedLines: Int
            let firstMalformedLine: String?
            /// The time between the first request and the last one, in seconds.
            let seconds: Double?
        }

        /// The result of one store.
        struct Result: Encodable, Sendable {
            let policy: String
            let memory: Int
            let hitRatio: Double
            let byteHitRatio: Double
            let requestsSaved: Int
            let bytesSaved: Int
            let originRequests: Int
            let originBytes: Int
            let peakMemory: Int
            let peakEntries: Int
            /// Absent for the policy `store`.
            let evictions: Int?
        }

        let summary: String
        let log: Log
        /// The lifetime of responses, in seconds; absent if they do not expire.
        let ttl: Double?
        let recommendedMemory: Int?
        let results: [Result]
    }

    /// The report for programs, of which names and units do not change.
    package var record: Record {
        Record(
            summary: summary.joined(separator: " "),
            log: Record.Log(
                files: files,
                formats: formats.map(\.rawValue),
                requests: totals.requests,
                bytes: totals.bytes,
                lookups: totals.lookups,
                writes: totals.writes,
                withUser: totals.withUser,
                notStorable: totals.notStorable,
                others: totals.others,
                malformedLines: totals.malformed,
                firstMalformedLine: totals.firstMalformed?.description,
                seconds: totals.span.map { $0.upperBound.duration(since: $0.lowerBound) / .seconds(1) }
            ),
            ttl: lifetime.map { $0 / .seconds(1) },
            recommendedMemory: recommended?.memory.bytes,
            results: rows.map { row in
                Record.Result(
                    policy: row.policy.rawValue,
                    memory: row.memory.bytes,
                    hitRatio: row.hitRatio,
                    byteHitRatio: row.byteHitRatio,
                    requestsSaved: row.counts.hits,
                    bytesSaved: row.counts.hitBytes,
                    originRequests: totals.requests - row.counts.hits,
                    originBytes: totals.bytes - row.counts.hitBytes,
                    peakMemory: row.counts.peakBytes,
                    peakEntries: row.counts.peakEntries,
                    evictions: row.counts.evictions
                )
            }
        )
    }
}
