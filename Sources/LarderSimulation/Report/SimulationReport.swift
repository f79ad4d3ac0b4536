import HTTPCaching
package import Larder

/// The result of a simulation: what each store would have answered of a log.
package struct SimulationReport: Sendable {
    /// The result of one store.
    package struct Row: Sendable {
        package let policy: SimulatedPolicy
        /// The size of the store.
        package let memory: ByteCount
        package let counts: StoreCounts
        /// The part of all requests that were answered from the store, 0 to 1.
        package let hitRatio: Double
        /// The part of all bytes that were answered from the store, 0 to 1.
        package let byteHitRatio: Double
    }

    /// The names of the files.
    package let files: [String]
    package let formats: [LogFormat]
    package let totals: LogTotals
    /// The lifetime of responses of which the log has no `Cache-Control`; nil if they do not expire.
    package let lifetime: Duration?
    /// True if the log has keys alone: sizes are numbers of responses.
    package let isOfKeys: Bool
    /// The results, by size and then in the order of the policies.
    package let rows: [Row]

    /// Creates a report.
    /// - Parameter counts: The counts of each store, in the order of the stores.
    package init(
        files: [String],
        reader: LogReader,
        stores: [StoreOptions],
        counts: [StoreCounts]
    ) {
        let totals = reader.totals
        self.files = files
        self.formats = reader.formats
        self.totals = totals
        lifetime = reader.lifetime
        isOfKeys = reader.content == .keys
        let rows = zip(stores, counts).map { store, counts in
            Row(
                policy: store.policy,
                memory: store.memory,
                counts: counts,
                hitRatio: Self.ratio(counts.hits, totals.requests),
                byteHitRatio: Self.ratio(counts.hitBytes, totals.bytes)
            )
        }
        self.rows = rows.enumerated().sorted { left, right in
            (left.element.memory.bytes, left.offset) < (right.element.memory.bytes, right.offset)
        }.map(\.element)
    }

    private static func ratio(_ part: Int, _ whole: Int) -> Double { whole == 0 ? 0 : Double(part) / Double(whole) }

    /// The policies, in the order in which they were given.
    package var policies: [SimulatedPolicy] {
        rows.reduce(into: []) { policies, row in if !policies.contains(row.policy) { policies.append(row.policy) } }
    }

    /// The results of a policy, by size.
    package func rows(of policy: SimulatedPolicy) -> [Row] { rows.filter { $0.policy == policy } }

    /// Returns a size of memory, or a number of entries if the log has no sizes.
    func memoryText(_ bytes: Int) -> String {
        isOfKeys ? NumberText.grouped(bytes) + (bytes == 1 ? " entry" : " entries") : NumberText.memory(bytes)
    }
}

// MARK: - Would it pay?

extension SimulationReport {
    /// The gain of hit ratio below which more memory does not count as one: a percentage point.
    private static let leastGain = 0.01

    /// The smallest store of the first policy of which a larger one is hardly better.
    package var recommended: Row? {
        guard let policy = policies.first, let best = rows(of: policy).map(\.hitRatio).max() else { return nil }
        return rows(of: policy).first { $0.hitRatio > best - Self.leastGain || $0.hitRatio == best }
    }

    /// Sentences that say whether a cache would pay, and how much memory it needs.
    package var summary: [String] {
        guard totals.requests > 0 else { return ["The log has no requests."] }
        guard totals.lookups > 0 else {
            return [
                "A cache would answer none of the \(requests): the log has no GET request with a storable response."
            ]
        }
        guard let row = recommended else { return [] }
        var sentences = [headline(row)]
        if row.hitRatio < 0.05 { sentences.insert("A cache would hardly pay.", at: 0) }
        if let advice = advice(row) { sentences.append(advice) }
        if let comparison = comparison(row) { sentences.append(comparison) }
        return sentences
    }

    private var requests: String { NumberText.grouped(totals.requests) + " requests" }

    private func headline(_ row: Row) -> String {
        let sentence =
            "With \(memoryText(row.memory.bytes)), \(NumberText.percent(row.hitRatio)) of \(requests) would have been "
            + "answered from the cache"
        guard !isOfKeys, totals.bytes > 0 else { return sentence + "." }
        let (sent, all) = (NumberText.traffic(totals.bytes - row.counts.hitBytes), NumberText.traffic(totals.bytes))
        return sentence + ", and the origin would have sent \(sent) instead of \(all)."
    }

    private func advice(_ row: Row) -> String? {
        guard let largest = rows(of: row.policy).last else { return nil }
        if row.counts.evictions == 0 {
            return
                "All storable responses fit into \(memoryText(row.counts.peakBytes)): more memory would gain nothing."
        }
        if largest.memory > row.memory {
            return "More memory, up to \(memoryText(largest.memory.bytes)), would gain less than 1 %."
        }
        return row.counts.evictions == nil ? nil : "More memory may gain more: responses were evicted."
    }

    /// Returns the policy that would answer at least one percentage point more with the same memory.
    private func comparison(_ row: Row) -> String? {
        let others = rows.filter { $0.memory == row.memory && $0.hitRatio >= row.hitRatio + Self.leastGain }
        guard let best = others.max(by: { $0.hitRatio < $1.hitRatio }) else { return nil }
        return "Evicting \(best.policy.rawValue), \(NumberText.percent(best.hitRatio)) would have been."
    }

    /// Sentences about the log, and about what the prediction assumes.
    package var notes: [String] {
        var notes: [String] = []
        if let span = totals.span, !isOfKeys {
            let length = span.upperBound.duration(since: span.lowerBound)
            notes.append("The log covers \(NumberText.duration(length)).")
        }
        let assumed = lifetime.map { "are fresh for \(NumberText.duration($0))" } ?? "do not expire"
        notes.append("Responses \(assumed)\(formats == [.rows] ? "" : ", unless the log has their Cache-Control").")
        let others = [
            (totals.writes, "writes, which remove the responses of their paths"),
            (totals.withUser, "with a user, which bypass the cache"),
            (totals.notStorable, "with responses that are not storable"),
            (totals.others, "with other methods, failed writes, or no request"),
        ].filter { $0.0 > 0 }.map { "\(NumberText.grouped($0)) \($1)" }
        if !others.isEmpty { notes.append("Among the requests are \(others.joined(separator: "; ")).") }
        if totals.bytes == 0, totals.requests > 0 { notes.append("The log has no sizes: bodies count as empty.") }
        return notes
    }

    /// Sentences about parts of the log that were not read as they should be.
    package var warnings: [String] {
        var warnings: [String] = []
        if let line = totals.firstMalformed {
            let count = totals.malformed == 1 ? "1 line was" : "\(NumberText.grouped(totals.malformed)) lines were"
            warnings.append("\(count) skipped, the first at \(line)")
        }
        if totals.stepBack > .seconds(600) {
            warnings.append(
                "the time in the log goes back by \(NumberText.duration(totals.stepBack)): give the oldest file first"
            )
        }
        return warnings
    }
}
